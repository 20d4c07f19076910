import { existsSync, statSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { MetaapoError } from '@metaapo/core/contracts';
import { ownerName, type Standing, standingOfName, thisOwner } from '@metaapo/core/storage';

const SUFFIX = '.incomplete';
const POLL_MS = 200;

/** How to wait for another process that fetches the same blob. */
export interface ClaimOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears once that another process is waited for. */
  readonly report?: ((line: string) => void) | undefined;
  /** Without a byte for so long, a process that cannot be seen from here counts as gone; default 30 000. */
  readonly staleMs?: number | undefined;
  /** Without a byte for so long, the wait for a living process ends; default 600 000. */
  readonly patienceMs?: number | undefined;
}

/**
 * The file into which this process may write a blob, or `undefined` once another process has finished the blob. A
 * partial file belongs to the process in its name; while that lives and writes it is waited for, and what a dead one
 * left is taken over by a rename, which only one process can win. Whatever happens, a blob appears whole or not at all.
 * @throws MetaapoError with code `network` when a living process gets on no more
 */
export async function claimPartial(blob: string, options: ClaimOptions = {}): Promise<string | undefined> {
  const own = `${blob}.${ownerName(thisOwner())}${SUFFIX}`;
  const watch = watchFor(options);
  for (;;) {
    options.signal?.throwIfAborted();
    if (existsSync(blob)) return undefined;
    const partials = (await readdir(dirname(blob)))
      .filter((name) => name.startsWith(`${basename(blob)}.`) && name.endsWith(SUFFIX))
      .map((name) => ({ file: join(dirname(blob), name), standing: standingOf(name) }));
    if (partials.some(({ file }) => file === own)) return own;
    const left = partials.find(({ file, standing }) => standing === 'gone' || watch(file, standing) === 'gone');
    if (left === undefined && partials.some(({ standing }) => standing !== undefined)) await wait(POLL_MS);
    else if (left === undefined || (await renamed(left.file, own))) return own;
  }
}

/** Looks again and again whether another process gets on with its partial file, and says once that it does. */
function watchFor(options: ClaimOptions): (file: string, standing: Standing | undefined) => Standing | undefined {
  const { staleMs = 30_000, patienceMs = 600_000, report } = options;
  const seen = new Map<string, { readonly state: string; readonly since: number }>();
  return (file, standing) => {
    if (standing === undefined) return undefined;
    if (seen.size === 0) report?.(`Waiting for another process that fetches ${file}`);
    const found = statSync(file, { throwIfNoEntry: false });
    const [state, now] = [`${found?.mtimeMs} ${found?.size}`, performance.now()];
    const known = seen.get(file);
    if (known?.state !== state) seen.set(file, { state, since: now });
    else if (standing === 'unknown' && now - known.since > staleMs) return 'gone';
    else if (now - known.since > patienceMs) throw stuck(file, patienceMs);
    return standing;
  };
}

function stuck(file: string, patienceMs: number): MetaapoError {
  return new MetaapoError('network', 'another process fetches this file and does not get on', {
    where: file,
    expected: `a byte in ${patienceMs / 1000} s`,
    remedy: 'Stop that process, then start again',
  });
}

/** Leaves a partial file to whichever process goes on with it. */
export async function releasePartial(blob: string, partial: string): Promise<void> {
  await renamed(partial, `${blob}.released${SUFFIX}`);
}

/** A file as older versions named it: host and process id, which say little. */
const OLDER = new RegExp(`^${hostname().replaceAll(/[^\w-]/g, '_')}-\\d+$`);

/** What became of the process that wrote a partial file; `undefined` for files of other programs and machines. */
function standingOf(name: string): Standing | undefined {
  const owner = name.slice(0, -SUFFIX.length).split('.').at(-1)!;
  if (owner === 'released') return 'gone';
  if (OLDER.test(owner)) return 'unknown';
  return /^\d+(-\w*){4}$/.test(owner) ? standingOfName(owner) : undefined;
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
