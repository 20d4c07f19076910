import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory with those above it. Unlike Node's recursive mkdir it ends also where no directory can be made,
 * such as in /proc.
 * @returns the highest directory that was made; `undefined` when it was there already
 */
export async function makeDirectory(path: string): Promise<string | undefined> {
  const directory = resolve(path);
  try {
    await mkdir(directory);
    return directory;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(directory)).isDirectory()) return undefined;
    const above = dirname(directory);
    const isAboveMissing = code === 'ENOENT' && above !== directory && !(await exists(above));
    if (!isAboveMissing) throw error;
    const made = await makeDirectory(above);
    return (await makeDirectory(directory)) === undefined ? made : (made ?? directory);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
