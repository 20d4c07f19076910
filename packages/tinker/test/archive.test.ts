import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { unpackTar } from '../src/archive/unpack-tar.js';
import { tarOf } from './tiny-archive.js';

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-archive-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Bytes in pieces of any length. */
async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

it.each([1, 7, 512, 1 << 20])('unpacks an archive that comes in pieces of %i bytes', async (length) => {
  const directory = await emptyDirectory();
  const weights = Buffer.from(Array.from({ length: 1500 }, (_, at) => at % 251));
  const tar = tarOf([
    ['adapter_config.json', Buffer.from('{}')],
    ['deep/weights.bin', weights],
    ['empty', Buffer.alloc(0)],
  ]);
  const names = await unpackTar(inPieces(tar, length), directory);
  expect(names).toEqual(['adapter_config.json', 'deep/weights.bin', 'empty']);
  expect(await readFile(join(directory, 'deep/weights.bin'))).toEqual(weights);
  expect(await readFile(join(directory, 'empty'))).toHaveLength(0);
});

it.each(['../outside', '/etc/outside', 'a/../../outside', 'a\\b'])('refuses a file of the name %s', async (name) => {
  const directory = await emptyDirectory();
  const tar = tarOf([[name, Buffer.from('x')]]);
  await expect(unpackTar(inPieces(tar, 512), directory)).rejects.toThrow('a file of the name');
  expect(await readdir(directory)).toEqual([]);
});

it('refuses an archive that is cut', async () => {
  const tar = tarOf([['weights', Buffer.alloc(2000)]]);
  await expect(unpackTar(inPieces(tar.subarray(0, 2600), 512), await emptyDirectory())).rejects.toThrow('is cut');
});
