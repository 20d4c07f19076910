import { existsSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const HOST = hostname().replaceAll(/[^\w-]/g, '_');
const SUFFIX = '.incomplete';
const POLL_MS = 200;

/**
 * The file into which this process may write a blob, or `undefined` once another process has finished the blob. A
 * partial file belongs to the process in its name; while that lives it is waited for, and what a dead one left is
 * taken over by a rename, which only one process can win. Whatever happens, a blob appears whole or not at all.
 */
export async function claimPartial(blob: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const own = `${blob}.${HOST}-${process.pid}${SUFFIX}`;
  for (;;) {
    signal?.throwIfAborted();
    if (existsSync(blob)) return undefined;
    const partials = (await readdir(dirname(blob))).filter(
      (name) => name.startsWith(`${basename(blob)}.`) && name.endsWith(SUFFIX),
    );
    if (partials.includes(basename(own))) return own;
    if (partials.some(isWritten)) {
      await wait(POLL_MS);
      continue;
    }
    const left = partials.find(isLeft);
    if (left === undefined || (await renamed(join(dirname(blob), left), own))) return own;
  }
}

/** Leaves a partial file to whichever process goes on with it. */
export async function releasePartial(blob: string, partial: string): Promise<void> {
  await renamed(partial, `${blob}.released${SUFFIX}`);
}

/** True when another living process of this machine writes the file. */
function isWritten(name: string): boolean {
  const process = ownerOf(name);
  return process !== undefined && isAlive(process);
}

function isLeft(name: string): boolean {
  const process = ownerOf(name);
  return name.endsWith(`.released${SUFFIX}`) || (process !== undefined && !isAlive(process));
}

function ownerOf(name: string): number | undefined {
  const owner = name.slice(0, -SUFFIX.length).split('.').at(-1)!;
  return owner.startsWith(`${HOST}-`) ? Number(owner.slice(HOST.length + 1)) : undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
