import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { ownerName, standingOfName, thisOwner } from '@metaapo/core/storage';

/** What cannot be seen from here counts as left behind after so long without a change. */
const LEFT_AFTER_MS = 3_600_000;

/** What the name of a directory of this process begins with, for `mkdtemp`. */
export function ownedName(prefix: string): string {
  return `${prefix}${ownerName(thisOwner())}-`;
}

/**
 * Whether a directory is one that a process made with {@link ownedName} and left behind. Other machines, and other
 * containers, may share the parent directory: of theirs nothing but the time of the last change tells.
 */
export function isLeftBehind(directory: string, prefix: string): boolean {
  const name = basename(directory);
  const owner = name.startsWith(prefix) ? name.slice(prefix.length, name.lastIndexOf('-')) : '';
  if (!/^\d+(-\w*){4}$/.test(owner)) return false;
  const standing = standingOfName(owner);
  if (standing !== 'unknown') return standing === 'gone';
  const found = statSync(directory, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > LEFT_AFTER_MS;
}
