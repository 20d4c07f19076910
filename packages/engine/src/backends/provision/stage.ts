import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, mkdtemp, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLeftBehind, ownedName } from '../../owned-directory.js';

const PREFIX = '.metaapo-stage-';
const REPLACED = 'replaced';

/**
 * Makes an empty directory beside the goal, so that a rename can put its content in place.
 * Directories that stopped processes of this machine left there are removed, and what they had taken away is put back.
 * @returns its path; owned: the caller removes it
 */
export async function createStage(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (isLeftBehind(join(parent, name), PREFIX)) await removeStale(parent, join(parent, name));
  }
  return mkdtemp(join(parent, ownedName(PREFIX)));
}

/** Removes a stage with all that is in it. */
export async function discard(stage: string): Promise<void> {
  await rm(stage, { recursive: true, force: true });
}

async function removeStale(parent: string, stage: string): Promise<void> {
  const taken = await readdir(join(stage, REPLACED)).catch((): string[] => []);
  for (const name of taken) {
    const isGone = await access(join(parent, name)).then(
      () => false,
      () => true,
    );
    if (isGone) await rename(join(stage, REPLACED, name), join(parent, name));
  }
  await discard(stage);
}

/**
 * Replaces directories of `goal` by those of the same names in `stage`. What was there goes into `stage`.
 * When one rename fails, those before it are undone.
 */
export async function putInPlace(stage: string, goal: string, names: readonly string[]): Promise<void> {
  const replaced = join(stage, REPLACED);
  await mkdir(replaced, { recursive: true });
  const undo: (() => Promise<void>)[] = [];
  const move = async (from: string, to: string): Promise<void> => {
    await rename(from, to);
    undo.unshift(() => rename(to, from));
  };
  try {
    for (const name of names) {
      await move(join(goal, name), join(replaced, name)).catch(ignoreAbsence);
      await move(join(stage, name), join(goal, name));
    }
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

function ignoreAbsence(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** A hard link, which takes no space and outlives its original; a copy where the disks differ. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

/** Links or copies a directory with all that is in it; symbolic links stay as they are written. */
export async function linkOrCopyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkOrCopyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else await linkOrCopy(source, target);
  }
}

/** Makes the directory in which a file will lie. */
export async function makeRoomFor(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  return file;
}
