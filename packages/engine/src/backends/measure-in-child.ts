import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MetaapoError } from '@metaapo/core/contracts';
import { CHILD_PROGRAM } from './child-program.js';
import { GPU_ENVIRONMENT } from './gpu-environment.js';
import { wasmDirectory } from './load-portable.js';
import type { AdapterInformation } from './load-webgpu.js';
import type { WebgpuProbe } from './probe-webgpu.js';

/** What a fresh process found out about a backend. */
export interface BackendMeasurement {
  /** Versions by package: `tfjs`, `tfjs-node`, ... */
  readonly versions: Readonly<Record<string, string>>;
  /** Version of libtensorflow; absent where there is none. */
  readonly libtensorflow?: string;
  /** What `webgpu` computes on, as its driver says; absent for the others. */
  readonly adapter?: AdapterInformation;
  readonly usesGpu: boolean;
  readonly hasSessions: boolean;
  /** GFLOP/s of a square matrix product; absent when no time was given, or the backend has no such product. */
  readonly matmulGflops: { readonly float32?: number; readonly bfloat16?: number };
}

/** What to measure: a native package's directory, those of WebGPU's packages, or a portable backend. */
export type Subject =
  | { readonly packageDirectory: string }
  | { readonly webgpu: NonNullable<WebgpuProbe['directories']> }
  | 'wasm'
  | 'cpu';

/** How to measure. */
export interface MeasureOptions {
  /** Time spent on each kind of product; 0 checks one small product and measures nothing. */
  readonly budgetMs: number;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LIMIT_MS = 180_000;

/**
 * Loads a backend in a fresh process, checks a product of two matrices, and measures larger ones.
 * A library that ends its process, or a binding that cannot be opened, is an error here and no harm to the caller.
 * @throws MetaapoError with code `backend`: the last words of the process are in its message
 */
export async function measureInChild(subject: Subject, options: MeasureOptions): Promise<BackendMeasurement> {
  const request = JSON.stringify({ ...locate(subject), budgetMs: options.budgetMs });
  const { output, errors, end } = await run(request, options);
  const line = output.split('\n').find((text) => text.startsWith('@metaapo '));
  if (line !== undefined) return JSON.parse(line.slice('@metaapo '.length)) as BackendMeasurement;
  throw new MetaapoError('backend', 'The backend did not pass its check in a fresh process', {
    where: nameOf(subject),
    expected: 'the product of two 2 x 2 matrices',
    got: lastWords(errors) ?? end,
  });
}

function nameOf(subject: Subject): string {
  if (typeof subject === 'string') return subject;
  return 'webgpu' in subject ? 'webgpu' : subject.packageDirectory;
}

function locate(subject: Subject): Record<string, string> {
  const { resolve } = createRequire(import.meta.url);
  if (typeof subject !== 'string' && !('webgpu' in subject)) {
    return { main: subject.packageDirectory, backend: 'tensorflow' };
  }
  if (typeof subject !== 'string') {
    const { backend, dawn } = subject.webgpu;
    const url = pathToFileURL(join(dawn, 'index.js')).href;
    return { main: resolve('@tensorflow/tfjs'), backend: 'webgpu', webgpu: backend, dawn: url };
  }
  const portable = { main: resolve('@tensorflow/tfjs'), backend: subject };
  if (subject === 'cpu') return portable;
  return { ...portable, wasm: resolve('@tensorflow/tfjs-backend-wasm'), wasmDirectory: wasmDirectory() };
}

function run(request: string, options: MeasureOptions): Promise<{ output: string; errors: string; end: string }> {
  return new Promise((fulfil, reject) => {
    const child = spawn(process.execPath, ['-e', CHILD_PROGRAM, request], {
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...GPU_ENVIRONMENT, ...(options.env ?? process.env) },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      ...(options.signal && { signal: options.signal }),
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-20_000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      fulfil({ output, errors, end: signal ? `an end by signal ${signal}` : `exit code ${code}` });
    });
  });
}

function lastWords(errors: string): string | undefined {
  const lines = errors.split('\n').map((line) => line.trim());
  return (
    lines.find((line) => line.startsWith('@metaapo-error '))?.slice('@metaapo-error '.length) ??
    lines.filter((line) => line !== '').at(-1)
  );
}
