import { constants } from 'node:fs';
import { copyFile, type FileHandle, open } from 'node:fs/promises';
import { requireHeld } from './held-directories.js';
import { putInPlace } from './put-in-place.js';
import { syncPath } from './synced.js';

/** Opens a file to write over its content, which is kept, and makes it where there is none. */
export const OVER = constants.O_RDWR | constants.O_CREAT;

/**
 * Opens a file, and looks only then whether its directory is still this process's. Whoever takes the directory renews the
 * file first ({@link renewFile}), so that what is written to the handle, however late, does not reach the file in use.
 */
export async function openHeld(file: string, flags: string | number): Promise<FileHandle> {
  const handle = await open(file, flags);
  try {
    requireHeld(file);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Puts a copy of a file in its place, so that handles which another process has opened lead to the old one. */
export async function renewFile(file: string): Promise<void> {
  await putInPlace(file, async (copy) => {
    await copyFile(file, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await syncPath(copy);
  });
}
