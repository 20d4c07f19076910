import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import type { DataRow } from './data-row.js';
import { parseDemonstration } from './read-demonstrations.js';
import { parsePreference, readPreferences } from './read-preferences.js';
import { readPrompts } from './read-prompts.js';

const row = (values: Record<string, unknown>): DataRow => ({ file: 'rows.jsonl', row: 0, values });
const system = 'Answer like a pirate.';
const first = { role: 'system', content: system };
const ask = { role: 'user', content: 'Tide?' };
const said = (content: string) => [{ role: 'assistant', content }];
const pair = { chosen: said('Arr.'), rejected: said('No.') };

it('begins a conversation', async () => {
  expect(parsePreference(row({ system, prompt: [ask], ...pair }))).toMatchObject({ prompt: [first, ask] });
  expect(parsePreference(row({ system, prompt: 'Tide?', ...pair }))).toMatchObject({ prompt: [first, ask] });
  expect(parsePreference(row({ system, prompt: [ask], chosen: 'Arr.', rejected: 'No.' }))).toMatchObject({
    prompt: [first, ask],
  });
  expect(parseDemonstration(row({ system, messages: [ask, ...said('Arr.')] }))).toMatchObject({
    messages: [first, ask, ...said('Arr.')],
  });
  const file = temporaryFile('prompts.jsonl', JSON.stringify({ system, prompt: [ask] }));
  expect(await collect(readPrompts(file))).toMatchObject([{ prompt: [first, ask] }]);
});

it('is not said twice, and not against the messages', () => {
  expect(parsePreference(row({ system, prompt: [first, ask], ...pair }))).toMatchObject({ prompt: [first, ask] });
  const other = row({ system: 'Be plain.', prompt: [first, ask], ...pair });
  expect(() => parsePreference(other)).toThrow(/`system` and the first message say different things/);
  expect(() => parsePreference(row({ system: 7, prompt: [ask], ...pair }))).toThrow(/`system` has the wrong type/);
});

it('is refused beside text, which nothing renders, unless it is empty or left out', async () => {
  const values = { system, prompt: 'Tide?', chosen: 'Arr.', rejected: 'No.' };
  expect(() => parsePreference(row(values))).toThrow(/`system` needs messages.*data.columns: {system: false}/);
  for (const nothing of ['', null]) parsePreference(row({ ...values, system: nothing }));
  const file = temporaryFile('pairs.jsonl', JSON.stringify(values));
  const read = readPreferences(file, { columnNames: { system: false } });
  expect(await collect(read)).toMatchObject([{ form: 'text', prompt: 'Tide?' }]);
});

it.each([
  ['JSON', '[{"role": "user", "content": "q"}]'],
  ['Python', "[{'content': 'q', 'role': 'user'}]"],
])('refuses conversations that %s wrote as text', (_, text) => {
  expect(() => parsePreference(row({ prompt: text, chosen: 'a', rejected: 'b' }))).toThrow(/not written as text/);
  expect(() => parsePreference(row({ prompt: 'q', chosen: text, rejected: text }))).toThrow(/not written as text/);
  parsePreference(row({ prompt: 'Write messages.', chosen: text, rejected: 'No.' }));
});
