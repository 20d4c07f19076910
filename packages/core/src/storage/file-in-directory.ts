import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { type ErrorCode, MetaapoError } from '../contracts/index.js';

/** Sizes of files that are read as a whole, in bytes. */
export const WHOLE_FILE_BYTES = 256 * 2 ** 20;

/**
 * The real path of a file of a directory that others made (a model, an adapter): a regular file that lies in it, or in
 * the blobs of the same entry of the hub's cache, where those files are links.
 * @param name path inside the directory
 * @returns `undefined` where there is no such file
 * @throws MetaapoError with code `checkpoint` for a link that leads elsewhere, and for a device, a pipe or a directory
 */
export async function fileIn(directory: string, name: string): Promise<string | undefined> {
  const place = join(directory, name);
  const [root, real] = await Promise.all([realpath(directory), realpath(place)]).catch(ignoreMissing);
  if (root === undefined || real === undefined) return undefined;
  if (!real.startsWith(`${root}${sep}`) && !isBlobOf(root, real)) {
    throw new MetaapoError('checkpoint', 'the file is a link that leaves its directory', {
      where: place,
      expected: 'a file inside of it',
      got: real,
      remedy: 'Put a copy of the file there, if you trust it',
    });
  }
  const handle = await open(real, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if ((await handle.stat()).isFile()) return real;
  } finally {
    await handle.close();
  }
  throw notAFile(place);
}

/**
 * The text of a file that {@link fileIn} finds.
 * @returns `undefined` where there is none
 * @throws as `fileIn`, and MetaapoError with code `checkpoint` when it is larger than the limit
 */
export async function readTextIn(
  directory: string,
  name: string,
  mostBytes = WHOLE_FILE_BYTES,
): Promise<string | undefined> {
  const file = await fileIn(directory, name);
  return file === undefined ? undefined : readTextFile(file, { mostBytes, where: join(directory, name) });
}

/** What is said of a file that is refused. */
export interface TextFileOptions {
  readonly mostBytes: number;
  /** Default the file. */
  readonly where?: string | undefined;
  /** Default `checkpoint`. */
  readonly code?: ErrorCode | undefined;
}

/**
 * The text of a regular file.
 * @throws MetaapoError when it is a device, a pipe or larger than the limit; what the file system says otherwise
 */
export async function readTextFile(file: string, options: TextFileOptions): Promise<string> {
  const { mostBytes, where = file, code } = options;
  // A pipe that nobody writes to would be waited for in the opening.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw notAFile(where, code);
    if (found.size <= mostBytes) return await handle.readFile('utf8');
    throw new MetaapoError(code ?? 'checkpoint', 'the file is too large', {
      where,
      expected: `at most ${mostBytes} bytes`,
      got: `${found.size}`,
      remedy: 'Check what it is; a file of this name is smaller',
    });
  } finally {
    await handle.close();
  }
}

function notAFile(where: string, code: ErrorCode = 'checkpoint'): MetaapoError {
  return new MetaapoError(code, 'there is something else where a file should be', {
    where,
    expected: 'a regular file',
    got: 'a directory, a device or a pipe',
    remedy: 'Put the file there',
  });
}

/** Snapshots of the hub's cache hold links to `blobs` of the same repository. */
function isBlobOf(root: string, real: string): boolean {
  const blobs = dirname(real);
  return basename(blobs) === 'blobs' && root.startsWith(`${join(dirname(blobs), 'snapshots')}${sep}`);
}

function ignoreMissing(error: NodeJS.ErrnoException): readonly undefined[] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [undefined, undefined];
  throw error;
}
