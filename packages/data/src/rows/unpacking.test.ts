import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { readRows } from './read-rows.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-unpacking-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A Zstandard frame whose Huffman weights all come from one symbol, which takes no bits: decoding them never ends. */
const ENDLESS = Buffer.from('28b52ffd20406d0000a2400204f00301800101010100', 'hex');
const MAGIC = Buffer.from('28b52ffd', 'hex');

it('ends a Zstandard file that never ends', async () => {
  const file = join(directory, 'endless.jsonl.zst');
  writeFileSync(file, ENDLESS);
  await expect(collect(readRows(file))).rejects.toThrow(/endless\.jsonl\.zst: .*unpacking it does not end/);
}, 20_000);

it('refuses a page of parquet that is damaged', async () => {
  const whole = readFileSync(fileURLToPath(new URL('../../test/fixtures/messages-zstd.parquet', import.meta.url)));
  const place = whole.indexOf(MAGIC);
  expect(place).toBeGreaterThan(0);
  ENDLESS.copy(whole, place);
  const file = join(directory, 'damaged.parquet');
  writeFileSync(file, whole);
  await expect(collect(readRows(file))).rejects.toThrow(
    /damaged\.parquet: .*a page that does not unpack to its \d+ bytes/,
  );
});

it('gives a page no more room than its header says', async () => {
  const whole = readFileSync(fileURLToPath(new URL('../../test/fixtures/messages-zstd.parquet', import.meta.url)));
  const place = whole.indexOf(MAGIC);
  // A frame of one block of 128 KiB of the same byte, five times: more than half a megabyte where the header says hundreds of bytes.
  const block = ((2 ** 17) << 3) | (1 << 1);
  const repeated = Array.from({ length: 5 }, () => [block & 255, (block >> 8) & 255, (block >> 16) & 255, 65]).flat();
  Buffer.from([...MAGIC, 0x00, 0x58, ...repeated]).copy(whole, place);
  const file = join(directory, 'larger.parquet');
  writeFileSync(file, whole);
  await expect(collect(readRows(file))).rejects.toThrow(
    /larger\.parquet: .*a page that does not unpack to its \d+ bytes/,
  );
});
