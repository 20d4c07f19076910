import type { DemonstrationRow } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { parseDemonstration, readDemonstrations } from './read-demonstrations.js';

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const origin = { file: 'chats.jsonl', row: 17 };
const parse = (values: Record<string, unknown>, column?: string): DemonstrationRow =>
  parseDemonstration({ ...origin, values }, column);
const talk = [user('q'), assistant('a'), user('q2'), assistant('b')];

describe('forms', () => {
  const whole = { ...origin, form: 'messages', prompt: [], messages: talk };

  it('takes a conversation of messages as a whole', () => {
    expect(parse({ messages: talk })).toEqual(whole);
    expect(parse({ prompt: 'q', prompt_id: 'x', messages: talk })).toEqual(whole);
  });

  it('takes a text prompt before a response alone as the message of the user', () => {
    const messages = [user('q'), assistant('a')];
    expect(parse({ prompt: 'q', response: [assistant('a')] })).toEqual({ ...whole, messages });
  });

  it('keeps a prompt of messages apart from what is trained', () => {
    const given = { ...whole, prompt: talk.slice(0, 3), messages: [assistant('b')] };
    expect(parse({ prompt: talk.slice(0, 3), completion: [assistant('b')] })).toEqual(given);
    expect(parse({ prompt: talk.slice(0, 3), response: 'b' })).toEqual(given);
    expect(parse({ prompt: talk.slice(0, 3), response: talk })).toEqual(given);
    expect(parse({ prompt: [user('q')], response: talk.slice(1) })).toEqual({
      ...whole,
      prompt: [user('q')],
      messages: talk.slice(1),
    });
  });

  it('takes text and token ids as they are', () => {
    const text = { ...origin, form: 'text', prompt: ' p', response: 'r\n' };
    expect(parse({ prompt: ' p', response: 'r\n' })).toEqual(text);
    expect(parse({ prompt: ' p', completion: 'r\n' })).toEqual(text);
    expect(parse({ prompt: [1, 2], response: [3n, 4n] })).toEqual({
      ...origin,
      form: 'tokens',
      prompt: Int32Array.of(1, 2),
      response: Int32Array.of(3, 4),
    });
  });

  it('takes the chosen response of a preference when its column is named', () => {
    const row = { prompt: 'q', chosen: talk.slice(0, 2), rejected: [user('q'), assistant('c')], messages: talk };
    expect(parse(row, 'chosen')).toEqual({ ...whole, messages: talk.slice(0, 2) });
    expect(parse({ prompt: 'p', chosen: 'c', rejected: 'r' }, 'chosen')).toMatchObject({ form: 'text', response: 'c' });
  });
});

it('reads files in order, each with rows of its own form', async () => {
  const lines = (...rows: object[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
  const first = temporaryFile('a.jsonl', lines({ messages: talk }, { prompt: 'p', response: 'r' }));
  const second = temporaryFile('b.json', JSON.stringify([{ prompt: [5], completion: [6] }]));
  const rows = await collect(readDemonstrations([first, second]));
  expect(rows.map(({ file, row, form }) => [file, row, form])).toEqual([
    [first, 0, 'messages'],
    [first, 1, 'text'],
    [second, 0, 'tokens'],
  ]);
  const named = temporaryFile('c.jsonl', lines({ prompt: 'p', answer: 'r' }));
  expect(await collect(readDemonstrations(named, { column: 'answer' }))).toMatchObject([{ response: 'r' }]);
});

describe('bad rows', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no response', { prompt: 'p', chosen: 'c' }, /the row has no response.*got the columns prompt, chosen.*`column`/],
    ['no prompt', { response: 'r' }, /no `prompt`/],
    ['a prompt without an answer', { messages: [user('q'), assistant('a'), user('r')] }, /`messages` does not end/],
    ['an answer alone', { messages: [assistant('a')] }, /no `prompt`/],
    ['text for messages', { prompt: 'p', messages: 'a' }, /`messages` has the wrong type.*got text "a"/],
    ['no messages', { messages: [] }, /`messages` has the wrong type.*got an empty list/],
    ['a message without a role', { messages: [{ content: 'q' }, assistant('a')] }, /messages\[0\]\.role/],
    ['a blank response', { prompt: 'p', response: ' ' }, /`response` is an empty response/],
    ['a number', { prompt: 'p', completion: 7 }, /`completion` has the wrong type.*got number 7/],
    ['text before ids', { prompt: 'p', response: [1] }, /`prompt` has the wrong type/],
  ])('names file, row and fault of %s', (_, values, message) => {
    expect(() => parse(values)).toThrow(message);
    expect(() => parse(values)).toThrow(/^chats\.jsonl, row 17 \(counted from 0\)/);
  });

  it('names the column that was asked for', () => {
    expect(() => parse({ prompt: 'p', response: 'r' }, 'chosen')).toThrow(
      /no `chosen`.*got the columns prompt, response/,
    );
  });
});
