import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MetaapoError } from '../contracts/index.js';

const LOCK = 'run.lock';

/**
 * Claims a directory for this process; a lock whose process has ended is taken over.
 * @returns a function that gives the directory back; one that was made here and is still empty goes away again
 * @throws MetaapoError with code `config` when another process holds it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const made = await mkdir(directory, { recursive: true });
  const file = join(directory, LOCK);
  const own = JSON.stringify({ pid: process.pid, host: hostname() });
  while (!(await createWhole(file, own))) {
    const holder = await readIfThere(file);
    if (holder === undefined) continue;
    if (isHeld(holder)) {
      throw new MetaapoError('config', 'another process works in this directory', {
        where: directory,
        got: holder,
        remedy: `Wait for it, stop it, or choose another output; if it is gone, delete ${LOCK}`,
      });
    }
    await removeStale(file, holder);
  }
  return async () => {
    await rm(file, { force: true });
    if (made !== undefined) await removeEmpty(directory, made);
  };
}

/** Removes a directory and those above it, up to `last`, as far as they are empty. */
async function removeEmpty(directory: string, last: string): Promise<void> {
  for (let empty = resolve(directory); ; empty = dirname(empty)) {
    try {
      await rmdir(empty);
    } catch {
      return;
    }
    if (empty === resolve(last)) return;
  }
}

/** Makes a file with its content in one step, so that nobody reads it half-written; false when there is one already. */
async function createWhole(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await link(temporary, file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // A file system without links: the content follows an instant later.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return createEmptyFirst(file, content);
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createEmptyFirst(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a dead lock away, unless another process has just put its own in the place. */
async function removeStale(file: string, seen: string): Promise<void> {
  const taken = `${file}.${randomUUID()}.tmp`;
  try {
    await rename(file, taken);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(taken, 'utf8')) !== seen) await link(taken, file).catch(() => undefined);
  await rm(taken, { force: true });
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

function isHeld(holder: string): boolean {
  try {
    const { pid, host } = JSON.parse(holder) as { pid: number; host: string };
    if (host !== hostname()) return true;
    if (pid === process.pid) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
