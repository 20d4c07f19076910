import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { listBadRows } from './bad-rows.js';
import { parsePreference, readPreferences } from './read-preferences.js';
import { readUnpaired } from './read-unpaired.js';

const parse = (values: Record<string, unknown>) => parsePreference({ file: 'pairs.jsonl', row: 17, values });
const fixture = new URL('../../test/fixtures/implicit-prompts.json', import.meta.url);
const golden: { given: Record<string, unknown>; split: Record<string, unknown> }[] = JSON.parse(
  readFileSync(fixture, 'utf8'),
);

it.each(golden)('splits pairs without a prompt as TRL does: $given', ({ given, split }) => {
  expect(parse(given)).toMatchObject(split);
});

it.each([
  ['nothing in common', { chosen: 'yes', rejected: 'no' }, /no `prompt`.*begin alike/],
  ['only white space in common', { chosen: '\n\nyes', rejected: '\n\nno' }, /no `prompt`/],
  [
    'messages written as JSON',
    { chosen: '[{"role": "user", "content": "q"}]', rejected: '[{"role": "user", "content": "r"}]' },
    /`chosen` has the wrong type.*not written as text/,
  ],
  ['nothing but space after the prompt', { chosen: 'q ', rejected: 'q a' }, /`chosen` is an empty response/],
])('refuses texts with %s', (_, values, message) => {
  expect(() => parse(values)).toThrow(message);
});

const write = (...rows: object[]): string =>
  temporaryFile('pairs.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

it('reads columns by the names that they have in the file', async () => {
  const file = write({ question: 'q', chosen: 'bad', rejected: 'good' });
  const columnNames = { prompt: 'question', chosen: 'rejected', rejected: 'chosen' };
  expect(await collect(readPreferences(file, { columnNames }))).toMatchObject([
    { prompt: 'q', chosen: 'good', rejected: 'bad' },
  ]);
});

it('refuses a name that no row has, and one that nothing reads', async () => {
  const file = write({ prompt: 'q', chosen: 'a', rejected: 'b' });
  const read = (columnNames: Record<string, string>) => collect(readPreferences(file, { columnNames }));
  await expect(read({ prompt: 'question' })).rejects.toThrow(/row 0 .*no `question`/);
  await expect(read({ completion: 'chosen' })).rejects.toMatchObject({ code: 'config' });
});

it('leaves bad rows out where a listener hears of them', async () => {
  const good = { prompt: 'q', chosen: 'a', rejected: 'b' };
  const file = write(good, { ...good, rejected: ' ' }, good, { ...good, prompt: undefined });
  const bad = listBadRows('drop');
  const rows = await collect(readPreferences(file, { onBadRow: bad.onBadRow }));
  expect(rows.map(({ row }) => row)).toEqual([0, 2]);
  expect(bad.lines()).toEqual([
    '2 bad rows left out',
    expect.stringMatching(/row 1 .*empty response/),
    expect.stringMatching(/row 3 .*no `prompt`/),
  ]);
  expect(await collect(readUnpaired(file, { pairs: 'split', onBadRow: bad.onBadRow }))).toHaveLength(4);
  await expect(collect(readPreferences(file, { onBadRow: listBadRows('error').onBadRow }))).rejects.toThrow(/row 1/);
});
