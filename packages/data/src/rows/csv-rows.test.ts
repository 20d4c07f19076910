import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { readPreferences } from './read-preferences.js';
import { readRows } from './read-rows.js';
import { readUnpaired } from './read-unpaired.js';

const goldens: { name: string; text: string; rows: Record<string, unknown>[] }[] = JSON.parse(
  readFileSync(new URL('../../test/fixtures/csv.json', import.meta.url), 'utf8'),
);

it.each(goldens)('reads the rows that load_dataset reads: $name', async ({ name, text, rows }) => {
  const read = await collect(readRows(temporaryFile(name, text)));
  const known = rows.map((row) => Object.entries(row).filter(([, value]) => value !== null));
  expect(read.map(({ values }) => Object.entries(values).filter(([, value]) => value !== null))).toEqual(known);
});

it('takes no word for a truth that every object knows', async () => {
  const file = temporaryFile('odd.csv', 'prompt,completion,label\nA?,yes,constructor\n');
  const [row] = await collect(readRows(file));
  expect(row?.values.label).toBe('constructor');
});

it('leaves what looks like a number the text that it is', async () => {
  const file = temporaryFile('sums.csv', 'prompt,chosen,rejected,score_chosen,score_rejected\n2 + 2 =, 4,05,1,.5\n');
  const [row] = await collect(readPreferences(file));
  expect(row).toMatchObject({ chosen: ' 4', rejected: '05', scoreChosen: 1, scoreRejected: 0.5 });
});

it('reads truths where a row says whether a response is wanted, by the name that the column has', async () => {
  const file = temporaryFile('judged.csv', 'prompt,completion,good\nA?,yes,TRUE\nB?,no,0\n');
  const rows = await collect(readUnpaired(file, { columnNames: { label: 'good' } }));
  expect(rows.map(({ isDesirable }) => isDesirable)).toEqual([true, false]);
});

it('unpacks', async () => {
  const file = temporaryFile('a.csv.gz', gzipSync('prompt,chosen,rejected\nA?,yes,no\n'));
  expect(await collect(readPreferences(file))).toMatchObject([{ prompt: 'A?' }]);
});

it.each([
  ['too many fields', 'a,b\n1,2,3\n', /the file is not CSV.*Invalid Record Length/],
  ['a quote that is not closed', 'a,b\n"1,2\n', /the file is not CSV.*Quote Not Closed/],
  ['two columns of one name', 'a,a\n1,2\n', /two columns have the same name. Got a/],
])('refuses %s', async (_, text, message) => {
  await expect(collect(readRows(temporaryFile('bad.csv', text)))).rejects.toThrow(message);
});
