import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import {
  fetchSnapshot,
  type HubOptions,
  parseRepositoryReference,
  type Repository,
  type RepositoryReference,
} from '@metaapo/hub';
import type { DataFile } from '../rows/data-file.js';
import { countRows, dataFileEnding } from '../rows/read-rows.js';
import { configError } from './data-card.js';
import { directoriesOf, filesOfSplit, type SplitChoice } from './data-splits.js';
import { type SplitPart, slicedFiles, splitParts } from './split-slices.js';

/** Which part of a data set, and how to reach the hub. */
export interface DataFileOptions extends HubOptions {
  /**
   * Split of a directory or a data set of the hub, needed when there are several; also rows of it, `train[:10%]`, and
   * several, `train+test[:50]`. A single file is the split `train`.
   */
  readonly split?: string | undefined;
  /** Configuration of the data set's card; of a data set without one, a directory. */
  readonly config?: string | undefined;
}

const CARD = 'README.md';
/** Branch in which the hub keeps what it made of a data set that is a script. */
const CONVERTED = 'refs/convert/parquet';

/**
 * Paths of the data files of a source: the file itself, the files of a split in a directory, or those of a data set of
 * the hub `owner/name` or `owner/name@revision`, fetched where the cache lacks them. Splits are found as Python's
 * load_dataset finds them; of a data set that is a script, the hub's own conversion is taken. Where a split is
 * sliced, rows are counted: files are read once for that, of parquet their ends alone.
 * @throws MetaapoError with code `data` when there is no such file, data set, configuration or split; see
 * `downloadSnapshot` of @metaapo/hub for what the hub may bring
 */
export async function resolveDataFiles(source: string, options: DataFileOptions = {}): Promise<DataFile[]> {
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) {
    const card = await readFile(join(source, CARD), 'utf8').catch(() => undefined);
    return openedParts(source, source, chosenParts(source, await pathsIn(source), { ...options, card }));
  }
  if (found) return singleFile(source, options);
  const reference = mayBeFile(source) ? undefined : parseRepositoryReference(source, options.revision);
  if (reference === undefined) {
    throw new MetaapoError('data', 'there is no such file', {
      where: source,
      expected: 'a data file, a directory of them, or a data set of the hub such as owner/name',
      remedy: 'Check the path',
    });
  }
  return filesOnHub(reference, options);
}

/** A part of what a split means, with the paths of its files. */
interface ChosenPart extends SplitPart {
  readonly paths: readonly string[];
}

function chosenParts(where: string, paths: readonly string[], { split, config, card }: SplitChoice): ChosenPart[] {
  return splitParts(where, split).map((part) => ({
    ...part,
    paths: filesOfSplit(where, paths, { split: part.name, config, card }),
  }));
}

async function openedParts(where: string, directory: string, parts: readonly ChosenPart[]): Promise<DataFile[]> {
  const files: DataFile[] = [];
  for (const { paths, slice } of parts) {
    const own = paths.map((path) => join(directory, path));
    files.push(...(slice === undefined ? own : await slicedFiles(where, own, slice, countRows)));
  }
  return files;
}

/** A single file is a split of its own, `train` as load_dataset calls it. */
function singleFile(source: string, { split, config }: DataFileOptions): Promise<DataFile[]> {
  const parts = splitParts(source, split).map((part) => ({ ...part, paths: [basename(source)] }));
  const hasOther = parts.some(({ name }) => name !== undefined && name !== 'train');
  const wanted = config !== undefined ? ['config', config] : hasOther ? ['split', split] : undefined;
  if (wanted === undefined) return openedParts(source, dirname(source), parts);
  throw new MetaapoError('data', `a single file has no ${wanted[0]}s`, {
    where: source,
    got: wanted.join(' '),
    remedy: `Leave the ${wanted[0]} out`,
  });
}

async function filesOnHub({ name, revision }: RepositoryReference, options: DataFileOptions): Promise<DataFile[]> {
  const { split, config } = options;
  const repository: Repository = { type: 'dataset', name };
  let isScript = false;
  let parts: readonly ChosenPart[] = [];
  const choose =
    (card: string | undefined) =>
    (paths: readonly string[]): readonly string[] => {
      isScript = !paths.some(dataFileEnding) && paths.some((path) => path.endsWith('.py'));
      const own = revision === CONVERTED ? convertedConfig(name, paths, config) : config;
      parts = chosenParts(name, paths, { split, config: own, card });
      return [...new Set(parts.flatMap((part) => part.paths))];
    };
  const cardOr = (paths: readonly string[]): readonly string[] =>
    paths.includes(CARD) ? [CARD] : choose(undefined)(paths);
  try {
    const first = await fetchSnapshot(repository, cardOr, { ...options, revision });
    if (first.paths[0] !== CARD) return openedParts(name, first.directory, parts);
    const card = await readFile(join(first.directory, CARD), 'utf8');
    // The same commit, also where the branch moves on meanwhile.
    const commit = basename(first.directory);
    const { directory } = await fetchSnapshot(repository, choose(card), { ...options, revision: commit });
    return openedParts(name, directory, parts);
  } catch (error) {
    if (!isScript || revision !== undefined || !isMetaapoError(error) || error.code !== 'data') throw error;
    options.report?.(`${name}: the data set is a script; the hub's conversion to parquet is read (${CONVERTED})`);
    return filesOnHub({ name, revision: CONVERTED }, options);
  }
}

/** A conversion has a directory for each configuration. */
function convertedConfig(name: string, paths: readonly string[], config: string | undefined): string | undefined {
  const names = directoriesOf(paths.filter(dataFileEnding));
  if (config !== undefined || names.length === 1) return config ?? names[0];
  if (names.includes('default')) return 'default';
  throw configError(name, names, undefined);
}

async function pathsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** True for what looks like a file that is not there: a data file by its ending, or a bare name with any. */
function mayBeFile(source: string): boolean {
  return dataFileEnding(source) !== undefined || (!source.includes('/') && /^\.[a-z]+$/i.test(extname(source)));
}
