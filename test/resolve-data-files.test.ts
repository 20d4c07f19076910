import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readPreferences, resolveDataFiles } from '@metaapo/data';
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

function directoryOf(...paths: string[]): string {
  const directory = temporaryDirectory();
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), '');
  }
  return directory;
}

describe('splits', () => {
  const of = (paths: string[], split?: string): string[] => filesOfSplit('set', paths, split);

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

  it('are not mixed up when one name begins with another or ends in a number', () => {
    expect(of(['train.parquet', 'train_prefs.parquet', 'train2.parquet'], 'train')).toEqual(['train.parquet']);
  });

  it('need no name when there is one', () => {
    expect(of(['README.md', '.hidden/x.json', 'dataset_infos.json', 'pairs.jsonl'])).toEqual(['pairs.jsonl']);
  });

  it('are read from parquet where other formats hold the same', () => {
    expect(of(['train.json', 'train.jsonl', 'train.parquet'], 'train')).toEqual(['train.parquet']);
  });

  it('are named when the choice is open or wrong', () => {
    expect(() => of(['train.json', 'test.json'])).toThrow(
      /not clear which split is meant. Expected one of test, train/,
    );
    expect(() => of(['train.json', 'test.json'], 'valid')).toThrow(/no split valid. Expected one of test, train/);
    expect(() => of(['a/train.json', 'b/train.json'], 'train')).toThrow(/not clear.*a\/train, b\/train/);
    expect(() => of(['script.py'], 'train')).toThrow(/there is no data file/);
  });
});

describe('local sources', () => {
  it('are a file as it is', async () => {
    const file = temporaryFile('pairs.jsonl', '');
    expect(await resolveDataFiles(file)).toEqual([file]);
    await expect(resolveDataFiles(file, { split: 'train' })).rejects.toThrow(/a single file has no splits/);
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
  expect(seen.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(1);
  expect(await collect(readPreferences(found))).toMatchObject([{ prompt: 'p' }]);
});
