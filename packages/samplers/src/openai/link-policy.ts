import { randomUUID } from 'node:crypto';
import { lstat, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';

/**
 * Makes a path a link to a directory, in one step: whoever opens it finds the directory of before or the new one.
 * @throws MetaapoError with code `config` when something else than a link is there
 */
export async function linkPolicy(modelDirectory: string, path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isSymbolicLink()) {
    throw new MetaapoError('config', 'there is something else than a link to a policy', {
      where: `sampler openai refreshDirectory ${path}`,
      expected: 'a link, or nothing',
      remedy: 'Move it away, and link to it for the first start of the servers',
    });
  }
  await mkdir(dirname(path), { recursive: true });
  const made = `${path}.${randomUUID()}`;
  try {
    // Windows takes junctions without further rights.
    await symlink(resolve(modelDirectory), made, 'junction');
    await rename(made, path);
  } finally {
    await rm(made, { force: true });
  }
}
