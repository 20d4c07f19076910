import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMetaapoError } from '@metaapo/core/contracts';
import { afterAll, expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { readRows } from './read-rows.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'metaapo-parquet-'));
afterAll(() => rmSync(directory, { recursive: true }));

it.each([
  ['too-many.parquet', /rows: 3000000, at most \d+.*smaller row groups/],
  ['too-large.parquet', /size of a page: 6\d{8}, at most \d+.*smaller row groups/],
])('refuses %s before it is unpacked', async (name, message) => {
  const before = process.memoryUsage().rss;
  await expect(collect(readRows(fixture(name)))).rejects.toThrow(message);
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
});

it('gives rows or an error for any byte that is changed, and always ends', async () => {
  const whole = readFileSync(fixture('messages-snappy.parquet'));
  const file = join(directory, 'changed.parquet');
  const footer = whole.readUInt32LE(whole.length - 8);
  const places = Array.from({ length: 400 }, (_, index) => (index * 37) % (whole.length - 8));
  // The headers of pages stand at the beginning, sizes and places in the footer.
  const heads = Array.from({ length: 60 }, (_, index) => 4 + index);
  const ends = Array.from({ length: 200 }, (_, index) => whole.length - 8 - footer + 5 * index);
  for (const place of [...places, ...heads, ...ends]) {
    if (place >= whole.length - 8) continue;
    const changed = Buffer.from(whole);
    changed[place] = changed[place]! ^ (1 << (place % 8));
    writeFileSync(file, changed);
    try {
      await collect(readRows(file));
    } catch (error) {
      if (!isMetaapoError(error)) throw error;
      expect(error.message).toContain('changed.parquet');
    }
  }
}, 60_000);

it('refuses a footer that says fewer rows than there are', async () => {
  const whole = readFileSync(fixture('tokens.parquet'));
  const file = join(directory, 'fewer.parquet');
  const footer = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
  // Rows of the file: the third field of the footer, 3 as 2 * 3; the row group says the same at its end.
  const place = whole.indexOf(Buffer.of(0x16, 6, 0x19), footer);
  expect(place).toBeGreaterThan(footer);
  whole[place + 1] = 4;
  writeFileSync(file, whole);
  await expect(collect(readRows(file))).rejects.toThrow(/rows/);
});

it('refuses a column that is stored twice, and one that is not stored', async () => {
  const whole = readFileSync(fixture('tokens.parquet'));
  const file = join(directory, 'twice.parquet');
  const place = whole.indexOf(Buffer.from('\u0006prompt\u0004list'));
  expect(place).toBeGreaterThan(0);
  whole.write('\u0006chosen', place);
  writeFileSync(file, whole);
  await expect(collect(readRows(file))).rejects.toThrow(
    /column chosen\.list\.\w+ is not of the schema, or comes twice/,
  );
  await expect(collect(readRows(file, { columns: ['prompt'] }))).rejects.toThrow(/0 of 1 columns/);
});
