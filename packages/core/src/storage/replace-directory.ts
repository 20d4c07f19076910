import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

const aside = (target: string): string => `${target}.old`;

/**
 * Fills a new directory and puts it in the place of the old one only when it is complete. A failure leaves the old one
 * as it was. A crash does too, except in the instant between two renames, when the old one is complete beside its place
 * with the suffix `.old`: {@link recoverDirectory} puts it back.
 */
export async function replaceDirectory(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  const fresh = `${target}.tmp`;
  await mkdir(dirname(target), { recursive: true });
  await recoverDirectory(target);
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh);
  try {
    await fill(fresh);
    await rename(target, aside(target)).catch(ignoreMissing);
    await rename(fresh, target);
    await rm(aside(target), { recursive: true, force: true });
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    await recoverDirectory(target);
    throw error;
  }
}

/** Puts a directory back that a crash in {@link replaceDirectory} left aside; changes nothing when there was none. */
export async function recoverDirectory(target: string): Promise<void> {
  if (existsSync(target)) await rm(aside(target), { recursive: true, force: true });
  else await rename(aside(target), target).catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
