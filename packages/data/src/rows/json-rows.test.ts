import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryDirectory, temporaryFile } from '../../test/temporary-directory.js';
import { readRows } from './read-rows.js';

const rowsOf = async (file: string, onBadRow?: (error: Error) => void) =>
  (await collect(readRows(file, { onBadRow }))).map(({ row, values }) => [row, values]);
const binaryFile = (name: string, content: Uint8Array): string => {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, content);
  return file;
};
const TWO = [
  [0, { a: 1 }],
  [1, { a: 2 }],
];

it.each([
  ['lines in a .json file', 'a.json', '{"a": 1}\n\n{"a": 2}'],
  ['one line in a .json file', 'a.json', '\n{"a": 1}\n{"a": 2}\n'],
  ['an array in a .jsonl file', 'a.jsonl', '[{"a": 1},\n {"a": 2}]'],
  ['an array over lines', 'a.json', '[\n{"a": 1},\n{"a": 2}\n]'],
  ['the list of an object', 'a.json', '{"version": 3, "data": [{"a": 1}, {"a": 2}]}'],
  ['the list of an object over lines', 'a.json', '{\n"data": [{"a": 1}, {"a": 2}]\n}'],
  ['lines in a .ndjson file', 'a.ndjson', '\uFEFF{"a": 1}\r\n{"a": 2}'],
])('reads %s', async (_, name, text) => {
  expect(await rowsOf(temporaryFile(name, text))).toEqual(TWO);
  expect(await rowsOf(binaryFile(`${name}.gz`, gzipSync(text)))).toEqual(TWO);
});

it('reads lines packed with zstd', async () => {
  // {"a": 1}\n{"a": 2}\n, made by: printf '{"a": 1}\n{"a": 2}\n' | zstd | xxd -p
  const packed = Buffer.from('28b52ffd20129100007b2261223a20317d0a7b2261223a20327d0a', 'hex');
  expect(await rowsOf(binaryFile('a.jsonl.zst', packed))).toEqual(TWO);
});

it('reads numbers as Python writes them, and leaves texts alone', async () => {
  const file = temporaryFile('a.jsonl', '{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \\" Infinity"}');
  const values = { a: null, b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], c: 'NaN " Infinity' };
  expect(await rowsOf(file)).toEqual([[0, values]]);
});

it('reads a list `data` of a JSON-lines file as a column', async () => {
  const file = temporaryFile('a.jsonl', '{"data": [{"a": 1}]}\n');
  expect(await rowsOf(file)).toEqual([[0, { data: [{ a: 1 }] }]]);
});

it.each([
  ['half a character', 'a.jsonl', '{"a": "x\\ud83d"}', /row 0 .*half a character/],
  ['a value over lines in a .jsonl file', 'a.jsonl', '{\n"a": 1}', /row 0 .*not JSON/],
  ['half a file', 'a.json', '[{"a": 1}, {"a"', /a\.json: the file is not JSON/],
])('refuses %s', async (_, name, text, message) => {
  await expect(rowsOf(temporaryFile(name, text))).rejects.toThrow(message);
});

it('takes whole characters and escaped backslashes for what they are', async () => {
  const file = temporaryFile('a.jsonl', '{"a": "\\ud83d\\ude00 \\\\ud83d"}');
  expect(await rowsOf(file)).toEqual([[0, { a: '😀 \\ud83d' }]]);
});

it.each([
  ['bytes that are no UTF-8', 'a.jsonl', Buffer.from('{"a": "\xe9"}', 'latin1'), /not UTF-8/],
  ['a packed file that was cut', 'a.jsonl.gz', gzipSync('{"a": 1}').subarray(0, 20), /cannot be read/],
  ['a file that is not packed', 'a.jsonl.zst', Buffer.from('{"a": 1}'), /cannot be read/],
])('refuses %s', async (_, name, content, message) => {
  await expect(rowsOf(binaryFile(name, content))).rejects.toThrow(message);
});

it('tells of lines that are no rows, and goes on', async () => {
  const heard: string[] = [];
  const file = temporaryFile('a.jsonl', '{"a": 1}\n{"a":\n7\n{"a": 2}');
  expect(await rowsOf(file, ({ message }) => heard.push(message))).toEqual([TWO[0], [3, { a: 2 }]]);
  expect(heard).toEqual([expect.stringMatching(/row 1 .*not JSON/), expect.stringMatching(/row 2 .*not an object/)]);
});
