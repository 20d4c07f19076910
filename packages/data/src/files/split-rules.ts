import { posix } from 'node:path';
import { DATA_FILE_ENDINGS, dataFileEnding } from '../rows/read-rows.js';

/** Paths of the files of each split, in the order in which splits are listed. */
export type Splits = ReadonlyMap<string, readonly string[]>;

/** Files that describe a data set and are none of it. */
const DESCRIPTIONS = [
  'dataset_infos.json',
  'dataset_info.json',
  'dataset_dict.json',
  'config.json',
  'state.json',
  'package.json',
];

/** The data files among paths, sorted; hidden ones and descriptions are none. */
export function dataFilesAmong(paths: readonly string[]): string[] {
  const isHidden = (part: string): boolean => part.startsWith('.') || part.startsWith('__');
  return [...paths]
    .filter((path) => dataFileEnding(path) !== undefined && !path.split('/').some(isHidden))
    .filter((path) => !DESCRIPTIONS.includes(posix.basename(path)))
    .sort();
}

/** Splits that load_dataset knows by words in names, each word with the splits' own first. */
const KEYWORDS = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
} as const;

const EDGE = '[-._ 0-9]';
/** `data/NAME-00000-of-00003.parquet`, with a hash behind where a writer adds one. */
const SHARDED = /^data\/([^/]+)-\d{5}-of-\d{5}[^/]*\.[^/]*$/;

/**
 * Splits of data files by the rules of Python's load_dataset, the first that finds any: shards in `data`, whose names are
 * the splits; directories with a split's word in their names; files with one; all files as `train`.
 * @param paths data files, sorted
 */
export function splitsByRules(paths: readonly string[]): Splits {
  return (
    firstOf(shardedSplits(paths), keywordSplits(paths, inDirectory), keywordSplits(paths, inFileName)) ?? allOf(paths)
  );
}

const firstOf = (...found: readonly Splits[]): Splits | undefined => found.find(({ size }) => size > 0);

const allOf = (paths: readonly string[]): Splits => new Map(paths.length > 0 ? [['train', paths]] : []);

function shardedSplits(paths: readonly string[]): Splits {
  const names = [...new Set(paths.flatMap((path) => SHARDED.exec(path)?.[1] ?? []))].sort();
  const known = Object.keys(KEYWORDS).filter((name) => names.includes(name));
  const ordered = [...known, ...names.filter((name) => !known.includes(name))];
  return new Map(ordered.map((name) => [name, paths.filter((path) => SHARDED.exec(path)?.[1] === name)]));
}

type Rule = (keyword: string) => readonly ((path: string) => boolean)[];

function keywordSplits(paths: readonly string[], rule: Rule): Splits {
  const splits = Object.entries(KEYWORDS).map(([split, keywords]) => {
    const found = keywords.flatMap(rule).flatMap((matches) => paths.filter(matches));
    return [split, [...new Set(found)]] as const;
  });
  return new Map(splits.filter(([, found]) => found.length > 0));
}

function inDirectory(keyword: string): readonly ((path: string) => boolean)[] {
  const name = new RegExp(`^(?:.*${EDGE})?${keyword}(?:${EDGE}.*)?$`, 's');
  return [
    (path) =>
      path
        .split('/')
        .slice(0, -1)
        .some((part) => name.test(part)),
  ];
}

function inFileName(keyword: string): readonly ((path: string) => boolean)[] {
  const first = new RegExp(`^${keyword}${EDGE}`);
  const later = new RegExp(`${EDGE}${keyword}${EDGE}`);
  return [first, later].map((name) => (path) => name.test(posix.basename(path)));
}

/** The files of one format: that of the most frequent ending, in a draw parquet, then JSON. */
export function ofOneFormat(paths: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dataFileEnding(path)!, (counts.get(dataFileEnding(path)!) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const chosen = DATA_FILE_ENDINGS.find((ending) => counts.get(ending) === most)!;
  return paths.filter((path) => formatOf(dataFileEnding(path)!) === formatOf(chosen));
}

/** Files of JSON are of one format whatever their ending. */
const formatOf = (ending: string): string => (ending.includes('json') ? 'json' : ending);
