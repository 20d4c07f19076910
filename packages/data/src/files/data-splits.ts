import { posix } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { DATA_FILES, dataFileEnding } from '../rows/read-rows.js';
import { withoutPacking } from '../rows/text-of-file.js';
import { cardConfigs, chosenConfig, configError, splitsOfConfig } from './data-card.js';
import { dataFilesAmong, ofOneFormat, type Splits, splitsByRules } from './split-rules.js';

/** `-00000-of-00003`, with the hash that some writers add; or nothing but a number. */
const SHARD = /[-_.]\d+-of-\d+(-[0-9a-f]{8,})?$|^(part[-_.]?)?\d+$/;

/** What load_dataset calls all splits together. */
const ALL = 'all';

/** Which files of a data set. */
export interface SplitChoice {
  /** Split; may be absent when there is one only. */
  readonly split?: string | undefined;
  /** Configuration of the card; without a card, a directory. */
  readonly config?: string | undefined;
  /** Text of the data set's README.md. */
  readonly card?: string | undefined;
}

/**
 * Paths of the data files of one split. Splits are those of Python's load_dataset: as the card's configuration says, else
 * by names of shards, directories and files. Any other name means the files of that name, without the numbers of their
 * shards (`data/train_prefs`), or their directory where they have only numbers; the last part will do where it is unique.
 * @param where the data set, for errors
 * @throws MetaapoError with code `data` naming the splits that there are
 */
export function filesOfSplit(where: string, paths: readonly string[], choice: SplitChoice): string[] {
  const { split, config, card = '' } = choice;
  const configs = cardConfigs(where, card);
  if (configs.length > 0) {
    const found = chosenConfig(where, configs, config);
    return chosenSplit(where, splitsOfConfig(found, paths), split, new Map());
  }
  const files = dataFilesAmong(paths);
  const inside = config === undefined ? files : files.filter((path) => path.startsWith(`${config}/`));
  if (config !== undefined && inside.length === 0 && config !== 'default') {
    throw configError(where, directoriesOf(files), config);
  }
  const chosen = inside.length === 0 ? files : inside;
  return chosenSplit(where, splitsByRules(chosen), split, splitsByName(chosen));
}

/** Directories at the top of paths. */
export const directoriesOf = (files: readonly string[]): string[] => [
  ...new Set(files.flatMap((path) => (path.includes('/') ? [path.slice(0, path.indexOf('/'))] : []))),
];

/** @param others splits by other names, none of which is meant without its name */
function chosenSplit(where: string, splits: Splits, split: string | undefined, others: Splits): string[] {
  const names = [...splits.keys()];
  const alike = [...others.keys()].filter((name) => name === split || name.endsWith(`/${split}`));
  const other = others.has(split ?? '') ? split! : alike.length === 1 ? alike[0]! : '';
  const found =
    split === undefined
      ? names.length === 1
        ? splits.get(names[0]!)
        : undefined
      : (splits.get(split) ?? others.get(other) ?? (split === ALL ? [...splits.values()].flat() : undefined));
  if (found !== undefined && found.length > 0) return [...ofOneFormat(found)];
  throw splitError(
    where,
    alike.length > 1 ? alike : names,
    split,
    alike.length > 1 || (found === undefined && split === undefined),
  );
}

function splitsByName(paths: readonly string[]): Splits {
  const splits = new Map<string, string[]>();
  for (const path of paths) {
    const name = nameOf(withoutPacking(path).slice(0, -dataFileEnding(path)!.length));
    splits.set(name, [...(splits.get(name) ?? []), path]);
  }
  return splits;
}

function nameOf(stem: string): string {
  const base = posix.basename(stem).replace(SHARD, '');
  const directory = posix.dirname(stem);
  if (directory === '.') return base || posix.basename(stem);
  return base === '' ? directory : `${directory}/${base}`;
}

function splitError(where: string, names: readonly string[], split: string | undefined, isOpen: boolean): MetaapoError {
  if (names.length === 0) {
    return new MetaapoError('data', 'there is no data file', {
      where,
      expected: DATA_FILES,
      remedy: 'Convert the data set, or check its name',
    });
  }
  const summary = isOpen ? 'it is not clear which split is meant' : `there is no split ${split}`;
  return new MetaapoError('data', summary, { where, expected: `one of ${names.join(', ')}`, remedy: 'Name the split' });
}
