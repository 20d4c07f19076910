import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MetaapoError } from '../contracts/index.js';

/** A lock of this process. */
interface HeldLock {
  readonly file: string;
  readonly content: string;
  readonly onLost: () => void;
}

/** Locks of this process, by directory. */
const held = new Map<string, HeldLock>();

/**
 * Remembers that this process has locked a directory.
 * @returns a function that forgets it
 */
export function holdDirectory(directory: string, lock: HeldLock): () => void {
  const path = resolve(directory);
  held.set(path, lock);
  return () => void held.delete(path);
}

/**
 * Looks whether a directory that this process has locked is still its own, right before something is written there: a
 * process that slept for long learns so before it writes, and not some time after. Elsewhere nothing is looked at.
 * @throws MetaapoError with code `config` when another process has taken the directory, which `onLost` hears too
 */
export function requireHeld(path: string): void {
  if (held.size === 0) return;
  for (let at = resolve(path); ; at = dirname(at)) {
    const lock = held.get(at);
    if (lock !== undefined && isLost(lock)) throw lost(at, lock);
    if (at === dirname(at)) return;
  }
}

function isLost({ file, content }: HeldLock): boolean {
  try {
    return readFileSync(file, 'utf8') !== content;
  } catch (error) {
    // A disk that fails for a moment takes nothing away.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function lost(where: string, { onLost }: HeldLock): MetaapoError {
  onLost();
  return new MetaapoError(
    'config',
    'another process has taken this directory, since this one stood still for too long',
    {
      where,
      remedy: 'Let the other one go on, or go on with --resume when it has ended',
    },
  );
}
