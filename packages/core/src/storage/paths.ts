import { existsSync } from 'node:fs';
import { copyFile as copy, readdir, rm } from 'node:fs/promises';

/** Whether there is a file or a directory. */
export function isPresent(path: string): boolean {
  return existsSync(path);
}

/** The names of what lies in a directory; none where there is no such directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}

/** Copies a file to where none is, or over one that is there. */
export async function copyFile(from: string, to: string): Promise<void> {
  await copy(from, to);
}

/** Removes a directory with all that lies in it, where there is one. */
export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
