import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MetaapoError } from '../contracts/index.js';

const LOCK = 'run.lock';

/**
 * Claims a directory for this process; a lock whose process has ended is taken over.
 * @returns a function that gives the directory back
 * @throws MetaapoError with code `config` when another process holds it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, LOCK);
  const own = JSON.stringify({ pid: process.pid, host: hostname() });
  for (;;) {
    try {
      await writeFile(file, own, { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readFile(file, 'utf8').catch(() => '');
    if (isHeld(holder)) {
      throw new MetaapoError('config', 'another process works in this directory', {
        where: directory,
        got: holder,
        remedy: `Wait for it, stop it, or choose another output; if it is gone, delete ${LOCK}`,
      });
    }
    await rm(file, { force: true });
  }
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
