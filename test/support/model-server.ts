import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './metaapo.js';
import type { ServedModel } from './served-models.js';

const script = join(root, 'scripts', 'serve-model.mjs');

/** A real server of the OpenAI protocol, in a process of its own. */
export interface ModelServer {
  /** Its address up to `/v1`. */
  readonly baseUrl: string;
  /** Its address without a path. */
  readonly origin: string;
  /** The link through which it knows the model's directory. */
  readonly link: string;
  stop(): Promise<void>;
}

/** Names of the servers that the interpreter in PYTHON, else python3, can run. */
export function availableServers(): readonly string[] {
  const { stdout } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean);
}

/**
 * Serves a model directory as `policy`; the server ends with this process at the latest.
 * @param port default one that is free
 */
export async function startModelServer(
  directory: string,
  { server, args: more }: Pick<ServedModel, 'server' | 'args'>,
  port?: string,
): Promise<ModelServer> {
  const own = [...(port === undefined ? [] : ['--port', port]), '--with-parent'];
  const args = [script, directory, '--server', server, ...own, '--', ...more];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log = `${log}${chunk}`.slice(-4000);
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (lines.push(line) === 2) break;
  }
  const [baseUrl, link] = lines;
  if (baseUrl === undefined || link === undefined) throw new Error(`${server} did not start:\n${log}`);
  return { baseUrl, origin: new URL(baseUrl).origin, link, stop: () => stopped(child) };
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
