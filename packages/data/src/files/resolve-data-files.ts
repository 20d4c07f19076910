import { readdir, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { fetchSnapshot, type HubOptions, isRepositoryName } from '@metaapo/hub';
import { DATA_FILE_ENDINGS } from '../rows/read-rows.js';
import { filesOfSplit } from './data-splits.js';

/** Which part of a data set, and how to reach the hub. */
export interface DataFileOptions extends HubOptions {
  /** Split of a directory or a data set of the hub; needed when there are several. */
  readonly split?: string | undefined;
}

/**
 * Paths of the data files of a source: the file itself, the files of a split in a directory, or those of a data set of
 * the hub `owner/name`, fetched where the cache lacks them.
 * @throws MetaapoError with code `data` when there is no such file, data set or split; see `downloadSnapshot` of @metaapo/hub for
 * what the hub may bring
 */
export async function resolveDataFiles(source: string, options: DataFileOptions = {}): Promise<string[]> {
  const { split } = options;
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) {
    return filesOfSplit(source, await pathsIn(source), split).map((path) => join(source, path));
  }
  if (found && split !== undefined) {
    throw new MetaapoError('data', 'a single file has no splits', {
      where: source,
      got: `split ${split}`,
      remedy: 'Leave the split out',
    });
  }
  if (found) return [source];
  if (!mayBeOnHub(source)) {
    throw new MetaapoError('data', 'there is no such file', {
      where: source,
      expected: 'a data file, a directory of them, or a data set of the hub such as owner/name',
      remedy: 'Check the path',
    });
  }
  const choose = (paths: readonly string[]): string[] => filesOfSplit(source, paths, split);
  const snapshot = await fetchSnapshot({ type: 'dataset', name: source }, choose, options);
  return snapshot.paths.map((path) => join(snapshot.directory, path));
}

async function pathsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

function mayBeOnHub(source: string): boolean {
  return (
    source.includes('/') && isRepositoryName(source) && !DATA_FILE_ENDINGS.some((ending) => ending === extname(source))
  );
}
