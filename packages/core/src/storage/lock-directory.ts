import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MetaapoError } from '../contracts/index.js';
import { onPath } from './failed-path.js';
import { type HeartbeatTimes, hasStopped, startHeartbeat } from './heartbeat.js';
import { holdDirectory } from './held-directories.js';
import { makeDirectory } from './make-directory.js';
import { parseOwner, type Standing, standingOf, thisOwner } from './owner.js';

const LOCK = 'run.lock';

/** Who hears of a lock. */
export interface LockOptions extends HeartbeatTimes {
  /** Hears that another process has taken the directory, because this one stood still for too long. */
  readonly onLost?: (() => void) | undefined;
  /** Hears why it takes a while. */
  readonly report?: ((line: string) => void) | undefined;
}

/**
 * Claims a directory for this process. A lock whose process has ended is taken over; of a process that cannot be seen
 * from here (another container, another machine) the heartbeat tells, which may take half a minute. Until it is given
 * back, whatever is written into it looks first whether it is still this process's.
 * @returns a function that gives the directory back; one that was made here and is still empty goes away again
 * @throws MetaapoError with code `config` when another process holds it
 */
export async function lockDirectory(directory: string, options: LockOptions = {}): Promise<() => Promise<void>> {
  const made = await makeDirectory(directory);
  const file = join(directory, LOCK);
  const own = JSON.stringify({ ...thisOwner(), lock: randomUUID() });
  while (!(await createWhole(file, own))) {
    const holder = await readIfThere(file);
    if (holder !== undefined) await takeAway(file, holder, options);
  }
  const { onLost = () => undefined } = options;
  const endHeartbeat = startHeartbeat(file, own, onLost, options);
  const forget = holdDirectory(directory, { file, content: own, onLost });
  return async () => {
    forget();
    await endHeartbeat();
    if ((await readIfThere(file)) === own) await rm(file, { force: true });
    if (made !== undefined) await removeEmpty(directory, made);
  };
}

/** Removes the lock of a process that is gone. */
async function takeAway(file: string, holder: string, options: LockOptions): Promise<void> {
  if (!isLock(holder)) {
    throw new MetaapoError('config', 'there is a file of something else in the place of the lock', {
      where: file,
      expected: 'a lock of metaapo, or nothing',
      got: holder.slice(0, 80),
      remedy: 'Move it away, or choose another output',
    });
  }
  const standing = standingOfLock(holder);
  if (standing === 'unknown') {
    options.report?.(`${file}: looking whether the process that it names still works here, up to 30 s`);
    const isSameClock = parseOwner(holder)?.boot === thisOwner().boot;
    if (await hasStopped(file, isSameClock, options)) return removeStale(file, holder);
  } else if (standing === 'gone') return removeStale(file, holder);
  const now = await readIfThere(file);
  if (now !== holder) return;
  throw new MetaapoError('config', 'another process works in this directory', {
    where: dirname(file),
    got: holder.slice(0, 300),
    remedy: `Wait for it, stop it, or choose another output; if it is gone, delete ${LOCK}`,
  });
}

/** True for what a lock holds, of any version, and for one that is being written. */
function isLock(content: string): boolean {
  if (content === '') return true;
  try {
    const found: unknown = JSON.parse(content);
    return typeof found === 'object' && found !== null && 'pid' in found && 'host' in found;
  } catch {
    return false;
  }
}

/** An empty lock may be one that is being written; one that names nobody is none. */
function standingOfLock(holder: string): Standing {
  if (holder === '') return 'unknown';
  const owner = parseOwner(holder);
  return owner === undefined ? 'gone' : standingOf(owner);
}

/** Removes a directory and those above it, up to `last`, as far as they are empty. */
async function removeEmpty(directory: string, last: string): Promise<void> {
  for (let empty = resolve(directory); ; empty = dirname(empty)) {
    try {
      await rmdir(empty);
    } catch {
      return;
    }
    if (empty === resolve(last)) return;
  }
}

/** Makes a file with its content in one step, so that nobody reads it half-written; false when there is one already. */
async function createWhole(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await link(temporary, file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // A file system without links: the content follows an instant later.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return createEmptyFirst(file, content);
    throw onPath(error, file, temporary);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createEmptyFirst(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a dead lock away, unless another process has just put its own in the place. */
async function removeStale(file: string, seen: string): Promise<void> {
  const taken = `${file}.${randomUUID()}.tmp`;
  try {
    await rename(file, taken);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(taken, 'utf8')) !== seen) await link(taken, file).catch(() => undefined);
  await rm(taken, { force: true });
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
