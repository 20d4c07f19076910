import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';

/**
 * Looks whether an output file could be written, before hours are spent on what goes into it. Changes nothing.
 * @throws MetaapoError with code `config` when a directory is in its place; what the file system says otherwise
 */
export async function requireOutputFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new MetaapoError('config', 'there is a directory where a file should be', {
      where: file,
      expected: 'a file, or a path that is free',
      got: 'a directory',
      remedy: 'Choose another path with --output FILE',
    });
  }
  await access(await nearestDirectory(resolve(file)), constants.W_OK);
}

/** The lowest directory above a file that is there. */
async function nearestDirectory(file: string): Promise<string> {
  const above = dirname(file);
  const found = await stat(above).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && above !== file) return undefined;
    throw error;
  });
  return found === undefined ? nearestDirectory(above) : above;
}
