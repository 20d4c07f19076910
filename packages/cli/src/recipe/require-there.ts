import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { RUN_FILES } from '@metaapo/core/storage';
import { nearestPath } from './nearest-path.js';

/** What is expected at a path. Names of models and data may be those of the hub as well. */
export type PathKind = 'model' | 'data' | 'file';

const SUMMARIES: Readonly<Record<PathKind, string>> = {
  model: 'there is no such model directory',
  data: 'there is no such file',
  file: 'there is no such file',
};

const EXPECTED: Readonly<Record<PathKind, string>> = {
  model: 'a directory with config.json, or a hub id such as owner/name',
  data: 'a data file, a directory of them, or a data set of the hub such as owner/name',
  file: 'a file',
};

/** Ends the name of a file, and no name of the hub. */
const DATA_FILE = /\.(parquet|jsonl|ndjson|json|gz|zst)$|^[^/]*\.[a-z]+$/i;

/**
 * Looks whether there is something at a path, before anything is loaded. A name that may be one of the hub is passed over,
 * unless it is that of something in a directory of the user but for a letter or two.
 * @throws MetaapoError with code `config` that names the nearest path
 */
export function requireThere(path: string, kind: PathKind): void {
  if (kind === 'model') requireNoRun(path);
  if (path === '' || existsSync(path)) return;
  const meant = nearestPath(path);
  const mayBeOnHub = kind !== 'file' && !isPath(path, kind);
  if (mayBeOnHub && (meant === undefined || !existsSync(dirname(path)) || !path.includes('/'))) return;
  throw new MetaapoError('config', SUMMARIES[kind], {
    where: path,
    expected: EXPECTED[kind],
    remedy: remedyFor(path, meant, mayBeOnHub),
  });
}

/** The directory of a run holds a model, and is none. */
function requireNoRun(path: string): void {
  const isModel = (directory: string): boolean =>
    ['config.json', 'adapter_config.json'].some((name) => existsSync(join(directory, name)));
  const model = join(path, RUN_FILES.model);
  if (isModel(path) || !isModel(model)) return;
  throw new MetaapoError('config', 'this is the directory of a run, and no model', {
    where: path,
    expected: EXPECTED.model,
    remedy: `The run's model is ${model}`,
  });
}

function isPath(path: string, kind: PathKind): boolean {
  const [name] = path.split('@') as [string];
  return (
    isAbsolute(path) || /^(\.|~)/.test(path) || name.split('/').length > 2 || (kind === 'data' && DATA_FILE.test(path))
  );
}

function remedyFor(path: string, meant: string | undefined, mayBeOnHub: boolean): string {
  if (path.startsWith('~')) return 'Write the whole path: nothing takes the place of ~ here';
  if (meant === undefined) return 'Check the path';
  return `Did you mean ${meant}?${mayBeOnHub ? ` One of the hub is ${path}@main` : ''}`;
}
