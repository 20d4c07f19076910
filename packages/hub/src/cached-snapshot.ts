import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { replaceFile } from './replace-file.js';

/** Commit that a branch or tag had when it was last fetched, or `undefined`. */
export async function cachedCommit(directory: string, revision: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'refs', revision), 'utf8').catch(() => '');
  return isCommit(text.trim()) ? text.trim() : undefined;
}

/** Keeps the commit of a branch or tag. */
export async function rememberCommit(directory: string, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(directory, revision)) === commit) return;
  await replaceFile(join(directory, 'refs', revision), commit);
}

/** Paths of the files of a snapshot as they lie in the cache. */
export async function cachedPaths(snapshot: string): Promise<string[]> {
  const entries = await readdir(snapshot, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(snapshot, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** Puts a blob into a snapshot: a relative link, or a copy where links are not allowed. */
export async function linkBlob(blob: string, pointer: string): Promise<void> {
  if (existsSync(pointer)) return;
  await mkdir(dirname(pointer), { recursive: true });
  try {
    await symlink(relative(dirname(pointer), blob), pointer);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM' || code === 'ENOSYS' || code === 'ENOTSUP') await copyFile(blob, pointer);
    else if (code !== 'EEXIST') throw error;
  }
}

/** True for a full commit id. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
