import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { kernelsFile } from './native-package.js';

/** The kernels that this process can compute with. */
export interface FusedKernels {
  /** Of what they compute: another one may give other last bits. */
  readonly version: number;
  /** The processor's instructions that they use. */
  readonly level: string;
  readonly threads: number;
}

/** What the module gives: that of another version may lack anything but the version. */
interface KernelsModule {
  readonly version: number;
  readonly fault?: string;
  /** The best one last. */
  readonly levels: readonly string[];
  readonly threads: number;
}

/** Version of the operations that graphs are written with, and of their last bits; the module has the same in kernels/module.cc. */
const KERNELS_VERSION = 5;

let state: FusedKernels | { readonly fault: string } = { fault: 'no native backend is loaded' };

/** Registers the fused kernels beside a package's binding with TensorFlow, which has to be loaded. */
export function loadKernels(packageDirectory: string): void {
  const file = kernelsFile(packageDirectory);
  if (!existsSync(file)) {
    state = { fault: 'they were not compiled: `metaapo backend install` does it' };
    return;
  }
  try {
    const { version, fault, levels, threads } = createRequire(import.meta.url)(file) as KernelsModule;
    if (version !== KERNELS_VERSION) {
      state = { fault: 'they are of another version: `metaapo backend install` makes them anew' };
    } else if (fault !== undefined) state = { fault };
    else state = { version, level: levels.at(-1)!, threads };
  } catch (error) {
    state = { fault: `they could not be loaded (${(error as Error).message.split('\n')[0]})` };
  }
}

/**
 * The fused kernels that compiled programs use on the current backend, or undefined where they use TensorFlow's operations
 * alone: without the module, on a GPU, and with `METAAPO_KERNELS=off`.
 * @throws MetaapoError with code `config` for another value of that variable
 */
export function fusedKernels(): FusedKernels | undefined {
  return 'fault' in state || reasonAgainst() !== undefined ? undefined : state;
}

/** A clause that tells whether the fused kernels are used, or why not. */
export function describeKernels(): string {
  const against = 'fault' in state ? state.fault : reasonAgainst();
  if (against !== undefined || 'fault' in state) return `without fused kernels, since ${against}`;
  return `with fused kernels (${state.level}, ${state.threads} ${state.threads === 1 ? 'thread' : 'threads'})`;
}

function reasonAgainst(): string | undefined {
  const wished = process.env.METAAPO_KERNELS ?? 'on';
  if (wished !== 'on' && wished !== 'off') {
    throw new MetaapoError('config', 'This is neither on nor off', {
      where: 'METAAPO_KERNELS',
      expected: '`off`, or `on` as without it',
      got: wished,
    });
  }
  if (wished === 'off') return 'METAAPO_KERNELS is off';
  const backend = tf.backend() as { readonly isUsingGpuDevice?: boolean; readonly binding?: unknown };
  if (backend.isUsingGpuDevice === true) return 'the backend computes on a GPU';
  return backend.binding === undefined ? 'the backend has none' : undefined;
}
