import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DataFile, readPreferences, readRows, resolveDataFiles } from '@metaapo/data';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { filesOfSplit } from '../packages/data/src/files/data-splits.js';
import { collect } from '../packages/data/test/collect.js';
import { temporaryDirectory, temporaryFile } from '../packages/data/test/temporary-directory.js';
import { COMMIT, hubServer } from '../packages/hub/test/hub-server.js';

beforeEach(() => {
  for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', temporaryDirectory());
  return () => vi.unstubAllEnvs();
});

const nameOf = (file: DataFile): string => basename(typeof file === 'string' ? file : file.file);

function directoryOf(...paths: string[]): string {
  const directory = temporaryDirectory();
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), '');
  }
  return directory;
}

describe('splits', () => {
  const of = (paths: string[], split?: string): string[] => filesOfSplit('set', paths, { split });

  it('are the shards of one name, in order', () => {
    const paths = [
      'data/test-00000-of-00001.parquet',
      'data/train-00001-of-00002-0123456789abcdef.parquet',
      'data/train-00000-of-00002-0123456789abcdef.parquet',
    ];
    expect(of(paths, 'train')).toEqual([paths[2], paths[1]]);
    expect(of(paths, 'data/test')).toEqual([paths[0]]);
  });

  it('are a directory where its files have only numbers', () => {
    expect(
      of(['default/train/0000.parquet', 'default/train/0001.parquet', 'default/test/0000.parquet'], 'train'),
    ).toEqual(['default/train/0000.parquet', 'default/train/0001.parquet']);
  });

  it('of another name are the files of that name', () => {
    const paths = ['train.parquet', 'train_prefs.parquet', 'other/held-0.parquet', 'other/held-1.parquet'];
    expect(of(paths, 'train_prefs')).toEqual(['train_prefs.parquet']);
    expect(of(['a/x.json', 'b/x.json'], 'a/x')).toEqual(['a/x.json']);
  });

  it('need no name when there is one', () => {
    expect(of(['README.md', '.hidden/x.json', 'dataset_infos.json', 'pairs.jsonl'])).toEqual(['pairs.jsonl']);
  });

  it('are read from parquet where other formats hold the same', () => {
    expect(of(['train.json', 'train.jsonl', 'train.parquet'], 'train')).toEqual(['train.parquet']);
  });

  it('are named when the choice is open or wrong', () => {
    expect(() => of(['train.json', 'test.json'])).toThrow(
      /not clear which split is meant. Expected one of train, test/,
    );
    expect(() => of(['train.json', 'test.json'], 'valid')).toThrow(/no split valid. Expected one of train, test/);
    expect(() => of(['a/x.json', 'b/x.json'], 'x')).toThrow(/not clear.*a\/x, b\/x/);
    expect(() => of(['script.py'], 'train')).toThrow(/there is no data file/);
  });
});

describe('configurations', () => {
  const files = ['en/train.json', 'nl/train.json', 'nl/test.json'];

  it('are directories where there is no card', () => {
    expect(filesOfSplit('set', files, { config: 'nl', split: 'train' })).toEqual(['nl/train.json']);
    expect(() => filesOfSplit('set', files, { config: 'fr' })).toThrow(/no configuration fr. Expected one of en, nl/);
  });

  it('of a card have to be named where none is the usual one', () => {
    const card = '---\nconfigs:\n- config_name: a\n  data_dir: en\n- config_name: b\n  data_dir: nl\n---\n';
    expect(filesOfSplit('set', files, { card, config: 'a' })).toEqual(['en/train.json']);
    expect(() => filesOfSplit('set', files, { card })).toThrow(/not clear which configuration.*a, b/);
    expect(() => filesOfSplit('set', files, { card: '---\nconfigs: 7\n---' })).toThrow(/card .*cannot be read/);
  });
});

const goldens: {
  name: string;
  paths: string[];
  card: string | null;
  config: string | null;
  splits: Record<string, string[]>;
}[] = JSON.parse(readFileSync(new URL('../packages/data/test/fixtures/splits.json', import.meta.url), 'utf8'));

it.each(goldens)('finds the splits that load_dataset finds: $name, $config', ({ paths, card, config, splits }) => {
  for (const [split, expected] of Object.entries(splits)) {
    const choice = { split, card: card ?? undefined, config: config ?? undefined };
    expect(filesOfSplit('set', paths, choice)).toEqual(expected);
  }
});

/** What a file of slices.json holds. */
function linesOf(start: number, count: number): string {
  return Array.from({ length: count }, (_, row) => `${JSON.stringify({ id: start + row })}\n`).join('');
}

const slices: { files: Record<string, number>; split: string; ids: number[] | null }[] = JSON.parse(
  readFileSync(new URL('../packages/data/test/fixtures/slices.json', import.meta.url), 'utf8'),
);

it.each(slices)('takes the rows of $split that load_dataset takes', async ({ files, split, ids }) => {
  const directory = temporaryDirectory();
  let start = 0;
  for (const [name, count] of Object.entries(files)) {
    writeFileSync(join(directory, name), linesOf(start, count));
    start += count;
  }
  const read = async () => collect(readRows(await resolveDataFiles(directory, { split })));
  if (ids === null || ids.length === 0) await expect(read()).rejects.toThrow(/the slice of the split has no row/);
  else expect((await read()).map(({ values }) => values.id)).toEqual(ids);
});

describe('slices', () => {
  it('are taken of a single file, whose split is train', async () => {
    const file = temporaryFile('pairs.jsonl', linesOf(0, 10));
    const ids = async (split: string) =>
      (await collect(readRows(await resolveDataFiles(file, { split })))).map(({ values }) => values.id);
    expect(await ids('train[2:4]')).toEqual([2, 3]);
    expect(await ids('train')).toHaveLength(10);
    await expect(ids('test[2:4]')).rejects.toThrow(/a single file has no splits/);
  });

  it('of parquet files begin and end inside of row groups', async () => {
    const file = fileURLToPath(new URL('../packages/data/test/fixtures/tokens.parquet', import.meta.url));
    const all = await collect(readRows(file));
    const [first] = await resolveDataFiles(file, { split: 'train[1:2]' });
    expect(await collect(readRows([first!]))).toEqual(all.slice(1, 2));
  });

  it('that are none are refused', async () => {
    const file = temporaryFile('pairs.jsonl', linesOf(0, 10));
    for (const split of ['train[:10%', 'train[3]', 'train(up)', 'train[:2](up)', 'train+', 'train[a:]'])
      await expect(resolveDataFiles(file, { split })).rejects.toThrow(/the split cannot be read/);
    const wanted = { split: 'train[:50%](pct1_dropremainder)' };
    await expect(resolveDataFiles(file, wanted)).rejects.toThrow(/100 rows at least/);
  });
});

describe('local sources', () => {
  it('are a file as it is', async () => {
    const file = temporaryFile('pairs.jsonl', '');
    expect(await resolveDataFiles(file)).toEqual([file]);
    await expect(resolveDataFiles(file, { split: 'test' })).rejects.toThrow(/a single file has no splits/);
  });

  it('are a split of a directory', async () => {
    const directory = directoryOf('data/train.jsonl', 'data/test.jsonl');
    expect(await resolveDataFiles(directory, { split: 'test' })).toEqual([join(directory, 'data/test.jsonl')]);
  });

  it('are missed by name', async () => {
    await expect(resolveDataFiles('no/such/file.jsonl')).rejects.toThrow(
      /^no\/such\/file\.jsonl: there is no such file/,
    );
    await expect(resolveDataFiles('data/pairs.jsonl')).rejects.toMatchObject({ code: 'data' });
  });
});

it('fetches the files of one split of a data set of the hub, and only those', async () => {
  const row = JSON.stringify({ prompt: 'p', chosen: 'c', rejected: 'r' });
  const files = { 'README.md': '', 'data/train.jsonl': row, 'data/test.jsonl': row };
  const { endpoint, seen } = await hubServer({ 'datasets/owner/pairs': { files } });
  const cacheDirectory = temporaryDirectory();
  const found = await resolveDataFiles('owner/pairs', { split: 'train', endpoint, cacheDirectory });
  expect(found).toEqual([join(cacheDirectory, 'datasets--owner--pairs/snapshots', COMMIT, 'data/train.jsonl')]);
  expect(seen.filter(({ path }) => path.includes('/resolve/')).map(({ path }) => path.split('/').at(-1))).toEqual([
    'README.md',
    'train.jsonl',
  ]);
  expect(await collect(readPreferences(found))).toMatchObject([{ prompt: 'p' }]);
});

it('reads the card of a data set of the hub, the revision behind its name, and a name without an owner', async () => {
  const card = '---\nconfigs:\n- config_name: default\n  data_files: odd.jsonl\n---\n';
  const { endpoint } = await hubServer({
    'datasets/pairs': { files: { 'README.md': card, 'odd.jsonl': '1', 'more.jsonl': '' } },
    'datasets/pairs@v2': { files: { 'new.jsonl': '2' } },
  });
  const read = async (source: string) =>
    (await resolveDataFiles(source, { endpoint, cacheDirectory: temporaryDirectory() })).map(nameOf);
  expect(await read('pairs')).toEqual(['odd.jsonl']);
  expect(await read('pairs@v2')).toEqual(['new.jsonl']);
  await expect(read('pairs@v3')).rejects.toThrow(/no such revision/);
});

it('reads what the hub made of a data set that is a script', async () => {
  const { endpoint } = await hubServer({
    'datasets/owner/old': { files: { 'README.md': '# Old', 'old.py': 'import os' } },
    'datasets/owner/old@refs/convert/parquet': {
      files: { 'en/train/0000.parquet': '', 'nl/train/0000.parquet': '', 'nl/train/0001.parquet': '' },
    },
  });
  const read = (config?: string) =>
    resolveDataFiles('owner/old', { endpoint, config, split: 'train', cacheDirectory: temporaryDirectory() });
  expect((await read('nl')).map(nameOf)).toEqual(['0000.parquet', '0001.parquet']);
  await expect(read()).rejects.toThrow(/not clear which configuration.*en, nl/);
});
