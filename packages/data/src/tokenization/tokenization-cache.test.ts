import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cachedTokenization } from './tokenization-cache.js';

let directory: string;
let data: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cache-'));
  data = join(directory, 'rows.jsonl');
  writeFileSync(data, '{}\n');
});
afterEach(() => rmSync(directory, { recursive: true }));

const rows = [
  { row: 0, prompt: Int32Array.of(5, 6), chosen: Int32Array.of(), turns: [{ response: Int32Array.of(300_000) }] },
  { row: 2, prompt: Int32Array.of(-1), chosen: Int32Array.of(7), margin: 0.5 },
];
const result = { rows, report: { summary: 'zwei Zeilen: größer', kept: 2 } };

/** What comes, and how often it was computed. */
async function counted(times: number, settings: unknown = {}, tokenizer = 'key') {
  let computed = 0;
  const cache = join(directory, 'cache');
  for (let time = 0; time < times; time++) {
    const got = await cachedTokenization(cache, { settings, tokenizer, files: [data] }, async () => {
      computed += 1;
      return result;
    });
    expect(got).toEqual(result);
  }
  return computed;
}

it('computes once, and gives the same rows again', async () => {
  expect(await counted(3)).toBe(1);
});

it('computes anew for another tokenizer, other settings and other contents of a file', async () => {
  await counted(1);
  expect(await counted(1, { maxLength: 3 })).toBe(1);
  expect(await counted(1, {}, 'another')).toBe(1);
  expect(await counted(1)).toBe(0);
  writeFileSync(data, '{"a": 1}\n');
  expect(await counted(1)).toBe(1);
});

it('computes anew where the file of the cache is damaged or cut', async () => {
  await counted(1);
  const [name] = readdirSync(join(directory, 'cache'));
  const file = join(directory, 'cache', name!);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  expect(await counted(2)).toBe(1);
  writeFileSync(file, bytes.subarray(0, 20));
  expect(await counted(1)).toBe(1);
});

it('removes what nobody has read for a month', async () => {
  await counted(1);
  const [name] = readdirSync(join(directory, 'cache'));
  const past = new Date(Date.now() - 31 * 86_400_000);
  utimesSync(join(directory, 'cache', name!), past, past);
  await counted(1, { another: true });
  expect(readdirSync(join(directory, 'cache'))).not.toContain(name);
});
