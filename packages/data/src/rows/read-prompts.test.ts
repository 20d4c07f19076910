import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { readPrompts, readResponses } from './read-prompts.js';

const lines = (...rows: object[]): string =>
  temporaryFile('a.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
const question = { role: 'user', content: 'q' };
const answer = { role: 'assistant', content: 'a' };

it('reads prompts of messages, text and ids', async () => {
  const file = lines({ prompt: [question] }, { prompt: 'p' }, { prompt: [1, 2] });
  expect(await collect(readPrompts(file))).toEqual([
    { file, row: 0, form: 'messages', prompt: [question] },
    { file, row: 1, form: 'text', prompt: 'p' },
    { file, row: 2, form: 'tokens', prompt: Int32Array.of(1, 2) },
  ]);
});

it('reads a prompt with a response, also as one conversation', async () => {
  const file = lines(
    { prompt: [question], response: 'a' },
    { response: [question, answer] },
    { prompt: 'p', response: 'r' },
    { prompt: [1], response: [2] },
  );
  expect(await collect(readResponses(file))).toEqual([
    { file, row: 0, form: 'messages', prompt: [question], response: [answer] },
    { file, row: 1, form: 'messages', prompt: [question], response: [answer] },
    { file, row: 2, form: 'text', prompt: 'p', response: 'r' },
    { file, row: 3, form: 'tokens', prompt: Int32Array.of(1), response: Int32Array.of(2) },
  ]);
});

it('names the row without a prompt or a response', async () => {
  await expect(collect(readPrompts(lines({ prompt: 'p' }, { text: 'x' })))).rejects.toThrow(/row 1 .*no `prompt`/);
  await expect(collect(readResponses(lines({ prompt: 'p' })))).rejects.toThrow(/row 0 .*no `response`/);
});

it('reads a response that says nothing, and the ids of one beside its text where the prompt is ids', async () => {
  const file = lines(
    { prompt: 'p', response: '' },
    { prompt: [question], response: '' },
    { prompt: [1], response: 'text', response_ids: [2, 3] },
    { prompt: [1], response: '', response_ids: [] },
    { prompt: 'p', response: 'r', response_ids: [7] },
  );
  expect(await collect(readResponses(file))).toMatchObject([
    { form: 'text', prompt: 'p', response: '' },
    { form: 'messages', response: [{ role: 'assistant', content: '' }] },
    { form: 'tokens', response: Int32Array.of(2, 3) },
    { form: 'tokens', response: new Int32Array() },
    { form: 'text', response: 'r' },
  ]);
  await expect(collect(readResponses(lines({ prompt: 'p', response: [] })))).rejects.toThrow(/empty/);
});
