import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { onPath } from './failed-path.js';
import { requireHeld } from './held-directories.js';
import { makeDirectory } from './make-directory.js';
import { type Owner, parseOwner, standingOf, thisOwner } from './owner.js';
import { removeDirectory } from './paths.js';
import { syncName, syncPath, syncTree } from './synced.js';

/** Names of directories beside a target that are ours, if the marker is in them. */
const SIDE = '.metaapo-';
const MARKER = 'replaces.json';
const marker = z.object({ replaces: z.string() });

/** What cannot be seen from here counts as left behind after so long without a change. */
const LEFT_AFTER_MS = 3_600_000;

/** Replacements of this process that are under way, by side directory. */
const underWay = new Set<string>();

/**
 * Fills a new directory and puts it in the place of the old one only when it is complete and on the disk. A failure
 * leaves the old one as it was. A crash or a power cut does too, except in the instant between two renames, when the old
 * one is complete in a side directory `.metaapo-...`: {@link recoverDirectory} puts it back. Nothing else beside the
 * target is ever touched.
 */
export async function replaceDirectory(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  await makeDirectory(dirname(resolve(target)));
  await recoverDirectory(target);
  const side = await makeSide(target);
  const [fresh, old] = [join(side, 'new'), join(side, 'old')];
  try {
    await mkdir(fresh);
    await fill(fresh);
    await syncTree(side);
    requireHeld(target);
    await rename(target, old).catch(ignoreMissing);
    await rename(fresh, target);
    await syncName(target);
  } catch (error) {
    if (!existsSync(target)) await rename(old, target).catch(ignoreMissing);
    throw onPath(error, target, fresh);
  } finally {
    await removeDirectory(side);
    underWay.delete(side);
  }
}

/**
 * Puts a directory back that a crash in {@link replaceDirectory} left aside, and removes what else is left of it;
 * changes nothing when there was none.
 */
export async function recoverDirectory(target: string): Promise<void> {
  for (const side of await sidesOf(target)) {
    const isDone = existsSync(target);
    if (!isDone) await rename(join(side, 'old'), target).then(() => syncName(target), ignoreMissing);
    if (await isLeft(side)) await removeDirectory(side);
  }
}

async function makeSide(target: string): Promise<string> {
  const side = join(dirname(resolve(target)), `${SIDE}${randomUUID()}`);
  underWay.add(side);
  await mkdir(side);
  await writeFile(join(side, MARKER), JSON.stringify({ ...thisOwner(), replaces: basename(resolve(target)) }));
  await syncPath(join(side, MARKER));
  await syncName(side);
  return side;
}

/** Side directories of a target that no replacement of this process is using. */
async function sidesOf(target: string): Promise<readonly string[]> {
  const parent = dirname(resolve(target));
  const names = await readdir(parent).catch((): string[] => []);
  const sides: string[] = [];
  for (const name of names.filter((one) => one.startsWith(SIDE))) {
    const side = join(parent, name);
    if (!underWay.has(side) && (await replacedBy(side))?.replaces === basename(resolve(target))) sides.push(side);
  }
  return sides;
}

async function replacedBy(side: string): Promise<{ readonly replaces: string; readonly owner?: Owner } | undefined> {
  try {
    const content = await readFile(join(side, MARKER), 'utf8');
    const { replaces } = marker.parse(JSON.parse(content));
    const owner = parseOwner(content);
    return owner === undefined ? { replaces } : { replaces, owner };
  } catch {
    return undefined;
  }
}

async function isLeft(side: string): Promise<boolean> {
  const owner = (await replacedBy(side))?.owner;
  const standing = owner === undefined ? 'unknown' : standingOf(owner);
  // This process is alive, and what it has under way was left out before.
  if (standing !== 'unknown') return standing === 'gone' || owner?.pid === process.pid;
  const times = await Promise.all([side, join(side, 'new')].map((path) => stat(path).catch(() => undefined)));
  return times.every((found) => found === undefined || Date.now() - found.mtimeMs > LEFT_AFTER_MS);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
