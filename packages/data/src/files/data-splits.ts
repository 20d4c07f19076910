import { posix } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { DATA_FILE_ENDINGS } from '../rows/read-rows.js';

/** Files that describe a data set and are none of it. */
const DESCRIPTIONS = ['dataset_infos.json', 'dataset_info.json', 'dataset_dict.json', 'state.json', 'package.json'];
/** `-00000-of-00003`, with the hash that some writers add; or nothing but a number. */
const SHARD = /[-_.]\d+-of-\d+(-[0-9a-f]{8,})?$|^(part[-_.]?)?\d+$/;

/**
 * Paths of the data files of one split, sorted. A split is named by its files, without the numbers of their shards
 * (`data/train_prefs-00000-of-00002.parquet` is `data/train_prefs`), or by their directory where they have only numbers;
 * its last part (`train_prefs`) will do where it is unique. Of several formats of a split parquet is taken first.
 * @param where the data set, for errors
 * @param split may be `undefined` when there is one split only
 * @throws MetaapoError with code `data` naming the splits that there are
 */
export function filesOfSplit(where: string, paths: readonly string[], split: string | undefined): string[] {
  const splits = splitsOf(paths);
  const names = [...splits.keys()];
  const found = split === undefined ? names : names.filter((name) => name === split || name.endsWith(`/${split}`));
  const [name] = found.includes(split ?? '') ? [split!] : found;
  if (name !== undefined && (found.length === 1 || name === split)) return preferred(splits.get(name)!);
  throw splitError(where, names, found, split);
}

function splitsOf(paths: readonly string[]): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  for (const path of [...paths].sort()) {
    const ending = posix.extname(path).toLowerCase();
    const isHidden = path.split('/').some((part) => part.startsWith('.'));
    if (isHidden || !DATA_FILE_ENDINGS.some((known) => known === ending)) continue;
    if (DESCRIPTIONS.includes(posix.basename(path))) continue;
    const name = splitName(path.slice(0, -ending.length));
    splits.set(name, [...(splits.get(name) ?? []), path]);
  }
  return splits;
}

function splitName(stem: string): string {
  const base = posix.basename(stem).replace(SHARD, '');
  const directory = posix.dirname(stem);
  if (directory === '.') return base || posix.basename(stem);
  return base === '' ? directory : `${directory}/${base}`;
}

function preferred(paths: readonly string[]): string[] {
  const ending = DATA_FILE_ENDINGS.find((known) => paths.some((path) => path.toLowerCase().endsWith(known)))!;
  return paths.filter((path) => path.toLowerCase().endsWith(ending));
}

function splitError(
  where: string,
  names: readonly string[],
  found: readonly string[],
  split: string | undefined,
): MetaapoError {
  if (names.length === 0) {
    return new MetaapoError('data', 'there is no data file', {
      where,
      expected: `files that end in ${DATA_FILE_ENDINGS.join(', ')}`,
      remedy: 'Convert the data set, or check its name',
    });
  }
  const summary =
    split !== undefined && found.length === 0 ? `there is no split ${split}` : 'it is not clear which split is meant';
  return new MetaapoError('data', summary, { where, expected: `one of ${names.join(', ')}`, remedy: 'Name the split' });
}
