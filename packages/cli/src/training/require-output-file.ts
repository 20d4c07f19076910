import { constants, lstatSync, realpathSync, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { requireApart } from './require-apart.js';

/** What a command says of an output file. */
export interface OutputFileOptions {
  /** Files and directories that it reads; names of the hub are passed over. */
  readonly inputs?: readonly (string | undefined)[] | undefined;
  /** True where the user asked for a file in the place to be replaced. */
  readonly overwrite?: boolean | undefined;
}

/**
 * Looks whether an output file could be written, before hours are spent on what goes into it. Changes nothing.
 * @returns the file to write, links resolved
 * @throws MetaapoError with code `config` when something is in its place that is no regular file or that nobody asked to
 * replace, or it is or lies in an input; what the file system says otherwise
 */
export async function requireOutputFile(file: string, options: OutputFileOptions = {}): Promise<string> {
  const found = lstatSync(file, { throwIfNoEntry: false });
  // What a link leads to, which may have no path of its own: a pipe behind /dev/stdout.
  const kind = statSync(file, { throwIfNoEntry: false });
  if (kind?.isFile() === false) {
    throw refused(file, kind.isDirectory() ? 'a directory' : 'a device or a pipe');
  }
  const place = found?.isSymbolicLink() === true ? linkedPlace(file) : file;
  requireApart(place, options.inputs ?? []);
  if (kind !== undefined && options.overwrite !== true) {
    throw new MetaapoError('config', 'the file exists already', {
      where: file,
      remedy: 'Choose another one with --output FILE, or replace it with --overwrite',
    });
  }
  await access(await nearestDirectory(resolve(place)), constants.W_OK);
  return place;
}

function refused(file: string, got: string): MetaapoError {
  return new MetaapoError('config', `there is ${got} where a file should be`, {
    where: file,
    expected: 'a file, or a path that is free',
    got,
    remedy: 'Choose another path with --output FILE',
  });
}

function linkedPlace(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    throw refused(file, 'a link to nothing');
  }
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
