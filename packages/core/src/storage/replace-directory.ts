import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Fills a new directory and puts it in the place of the old one only when it is complete. An interruption leaves the
 * old one as it was, or, in the instant between two renames, complete beside it with the suffix `.old`.
 */
export async function replaceDirectory(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  const fresh = `${target}.${process.pid}.tmp`;
  await mkdir(dirname(target), { recursive: true });
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh);
  try {
    await fill(fresh);
    await rm(`${target}.old`, { recursive: true, force: true });
    await rename(target, `${target}.old`).catch(ignoreMissing);
    await rename(fresh, target);
    await rm(`${target}.old`, { recursive: true, force: true });
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
