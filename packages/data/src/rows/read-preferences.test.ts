import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PreferenceRow } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryDirectory, temporaryFile } from '../../test/temporary-directory.js';
import { parsePreference, readPreferences } from './read-preferences.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));
const read = (files: string | string[]): Promise<PreferenceRow[]> => collect(readPreferences(files));
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const parse = (values: Record<string, unknown>): PreferenceRow =>
  parsePreference({ file: 'pairs.jsonl', row: 17, values });

describe('files', () => {
  it.each(['snappy', 'zstd', 'gzip'])('reads parquet packed with %s over its row groups', async (codec) => {
    const rows = await read(fixture(`messages-${codec}.parquet`));
    expect(rows).toHaveLength(20);
    expect(rows.map(({ row }) => row)).toEqual(Array.from({ length: 20 }, (_, row) => row));
    expect(rows[3]).toEqual({
      file: fixture(`messages-${codec}.parquet`),
      row: 3,
      form: 'messages',
      prompt: [user('Question 3?')],
      chosen: [assistant('Good answer 3.')],
      rejected: [assistant('Bad answer 3.')],
      scoreChosen: 8.5,
    });
    expect(rows[12]).toMatchObject({
      prompt: [user('Question 12?'), assistant('First answer — é'), user('And then?')],
      scoreRejected: 2,
    });
  });

  it('reads 64-bit token ids and an online pair where a row has one', async () => {
    const rows = await read(fixture('tokens.parquet'));
    expect(rows[0]).toMatchObject({ form: 'tokens', prompt: Int32Array.of(1, 2), chosen: Int32Array.of(3, 4, 5) });
    expect(rows[0]).not.toHaveProperty('online');
    expect(rows[1]).toMatchObject({ online: [{ chosen: Int32Array.of(11), rejected: Int32Array.of(12, 13) }] });
  });

  it('numbers the rows of each file from 0 and takes files in order', async () => {
    const line = (prompt: string) => JSON.stringify({ prompt, chosen: 'c', rejected: 'r' });
    const first = temporaryFile('a.jsonl', `\uFEFF${line('one')}\n\n${line('two')}\r\n`);
    const second = temporaryFile('b.json', `[${line('three')}]`);
    const rows = await read([first, second]);
    expect(rows.map(({ file, row, prompt }) => [file, row, prompt])).toEqual([
      [first, 0, 'one'],
      [first, 1, 'two'],
      [second, 0, 'three'],
    ]);
  });

  it('keeps a line separator that stands inside a JSON string', async () => {
    const file = temporaryFile('a.jsonl', '{"prompt":"a\u2028b","chosen":"c","rejected":"r"}\n');
    expect((await read(file))[0]!.prompt).toBe('a\u2028b');
  });

  it('names the row of a line that is not JSON', async () => {
    const good = '{"prompt":"p","chosen":"c","rejected":"r"}';
    const file = temporaryFile('a.jsonl', `${good}\n${good}\n{"prompt": "p", "cho`);
    await expect(read(file)).rejects.toThrow(/a\.jsonl, row 2 .*not JSON/);
  });

  it.each([
    ['a.json', '{\n"prompt": "p"}', /not an array.*keys prompt/],
    ['a.json', '[1]', /row 0 .*not an object.*number 1/],
    ['a.txt', 'x', /kind of this data file is unknown.*got \.txt/],
    ['a.parquet', 'not parquet at all', /parquet file cannot be read/],
  ])('refuses %s with %s', async (name, content, message) => {
    await expect(read(temporaryFile(name, content))).rejects.toThrow(message);
  });

  it.each(['parquet', 'jsonl', 'json'])('names a missing .%s file', async (ending) => {
    await expect(read(`/no/such/file.${ending}`)).rejects.toMatchObject({ code: 'data', message: /no\/such\/file/ });
  });

  it('names a parquet file that was cut short', async () => {
    const file = join(temporaryDirectory(), 'cut.parquet');
    const whole = readFileSync(fixture('messages-zstd.parquet'));
    writeFileSync(file, whole.subarray(0, whole.length - 100));
    await expect(read(file)).rejects.toMatchObject({ code: 'data', message: expect.stringContaining(file) });
  });

  it('names row 17 of a parquet file whose answer is missing', async () => {
    await expect(read(fixture('wrong-type.parquet'))).rejects.toThrow(
      /wrong-type\.parquet, row 17 \(counted from 0\): the row has no `rejected`\. .*got the columns prompt, chosen, score_chosen/,
    );
  });
});

describe('forms', () => {
  const history = [user('q'), assistant('a'), user('q2')];
  const split = { form: 'messages', prompt: history, chosen: [assistant('c')], rejected: [assistant('r')] };

  it('splits conversations without a prompt after their shared history', () => {
    expect(parse({ chosen: [...history, assistant('c')], rejected: [...history, assistant('r')] })).toMatchObject(
      split,
    );
  });

  it('takes answers alone after a prompt of messages', () => {
    expect(parse({ prompt: history, chosen: [assistant('c')], rejected: [assistant('r')] })).toMatchObject(split);
  });

  it('takes conversations that repeat a prompt of messages', () => {
    const values = { prompt: history, chosen: [...history, assistant('c')], rejected: [...history, assistant('r')] };
    expect(parse(values)).toMatchObject(split);
  });

  it('takes text answers after a prompt of messages', () => {
    expect(parse({ prompt: history, chosen: 'c', rejected: 'r' })).toMatchObject(split);
  });

  it('makes a text prompt the user’s message before answers alone', () => {
    const row = parse({ prompt: 'q', chosen: [assistant('c')], rejected: [assistant('r')] });
    expect(row).toMatchObject({ ...split, prompt: [user('q')] });
  });

  it('leaves plain text as it is', () => {
    expect(parse({ prompt: ' p', chosen: 'c\n', rejected: 'r' })).toEqual({
      file: 'pairs.jsonl',
      row: 17,
      form: 'text',
      prompt: ' p',
      chosen: 'c\n',
      rejected: 'r',
    });
  });
});

describe('bad rows', () => {
  const talk = (...contents: string[]) =>
    contents.map((content, turn) => (turn % 2 ? assistant(content) : user(content)));

  it.each([
    ['no rejected', { prompt: 'p', chosen: 'c' }, /no `rejected`.*got the columns prompt, chosen/],
    ['no known column', { question: 'p' }, /no `chosen`.*got the columns question/],
    ['no prompt', { chosen: 'c', rejected: 'r' }, /no `prompt`/],
    ['an empty prompt', { prompt: '', chosen: 'c', rejected: 'r' }, /`prompt` is empty/],
    ['a number as answer', { prompt: 'p', chosen: 'c', rejected: 5 }, /`rejected` has the wrong type.*got number 5/],
    [
      'mixed kinds',
      { prompt: 'p', chosen: 'c', rejected: talk('q', 'a') },
      /`rejected` has the wrong type.*expected text/i,
    ],
    ['a blank answer', { prompt: 'p', chosen: ' \n', rejected: 'r' }, /`chosen` is an empty response/],
    ['no token in an answer', { prompt: [1], chosen: [2], rejected: [] }, /`rejected` is an empty response/],
    ['an empty last message', { chosen: talk('q', 'a'), rejected: talk('q', '') }, /`rejected` is an empty response/],
    ['different histories', { chosen: talk('q', 'a'), rejected: talk('x', 'b') }, /different histories.*message 0/],
    [
      'an unanswered conversation',
      { chosen: talk('q', 'a', 'q'), rejected: talk('q', 'a', 'z') },
      /does not end with an answer.*user/,
    ],
    [
      'a message without content',
      { chosen: [user('q'), { role: 'assistant' }], rejected: talk('q', 'b') },
      /`chosen\[1\]\.content` is wrong/,
    ],
    ['a fraction among ids', { prompt: [1], chosen: [2.5], rejected: [3] }, /`chosen\[0\]` is not a token id.*2\.5/],
    ['a text prompt before ids', { prompt: 'p', chosen: [2], rejected: [3] }, /`prompt` has the wrong type/],
    [
      'a score in words',
      { prompt: 'p', chosen: 'c', rejected: 'r', score_chosen: 'high' },
      /`score_chosen` has the wrong type/,
    ],
    [
      'half an online pair',
      { prompt: [1], chosen: [2], rejected: [3], online_chosen: [4] },
      /online pair cannot be used/,
    ],
    [
      'an online pair of text',
      { prompt: 'p', chosen: 'c', rejected: 'r', online_chosen: 'x', online_rejected: 'y' },
      /online pair cannot/,
    ],
  ])('refuses %s', (_, values, message) => {
    expect(() => parse(values)).toThrow(message);
    expect(() => parse(values)).toThrow(/^pairs\.jsonl, row 17 \(counted from 0\): /);
  });
});
