import type { PreferenceRow } from '@metaapo/core/contracts';
import { withinTime } from '@metaapo/core/storage';
import { expect, it } from 'vitest';
import { EOS, mergingTokenizer } from '../../test/merging-tokenizer.js';
import { tokenizePreferences } from './tokenize-preferences.js';

const row = (file: string, number: number, prompt: number[], chosen: number[], rejected: number[]): PreferenceRow => ({
  file,
  row: number,
  form: 'tokens',
  prompt: Int32Array.from(prompt),
  chosen: Int32Array.from(chosen),
  rejected: Int32Array.from(rejected),
});

it('numbers rows over all files before any is dropped, and counts what happened', async () => {
  const rows = [
    row('a', 0, [5, 6], [7, EOS], [8, EOS]),
    row('a', 1, [5, 5, 5, 5, 5, 5], [7, EOS], [8, EOS]),
    row('b', 0, [5], [7, 7, 7, 7, EOS], [9, EOS]),
    row('b', 1, [5], [7, EOS], [7, EOS]),
  ];
  const { rows: kept, report } = await tokenizePreferences(rows, mergingTokenizer(), {
    maxLength: 5,
    longPrompt: 'drop',
  });
  expect(kept.map((preference) => preference.row)).toEqual([0, 2, 3]);
  expect(report).toMatchObject({
    rows: 4,
    kept: 3,
    dropped: { 'prompt too long': 1, 'response too long': 0 },
    truncatedResponses: 1,
    rowsWithoutEnd: 1,
    identicalPairs: 1,
    prompt: { min: 1, mean: 4 / 3, max: 2 },
    response: { min: 2, mean: 14 / 6, max: 4 },
    sequence: { min: 3, mean: 4, max: 5 },
    longest: [
      { file: 'b', row: 0, tokens: 5 },
      { file: 'a', row: 0, tokens: 4 },
      { file: 'b', row: 1, tokens: 3 },
    ],
  });
  expect(report.summary).toBe(
    '3 of 4 rows kept; 1 dropped (prompt too long); 1 responses cut; 1 rows with a response that has no end token; ' +
      '1 pairs of identical responses; tokens min/mean/max: prompt 1/1.3/2, response 2/2.3/4, sequence 3/4.0/5; ' +
      'longest is row 0 of b with 5 tokens',
  );
});

it('names the first bad row', async () => {
  const rows = [row('a', 0, [5], [6], [7]), row('a', 1, [5], [600], [7])];
  await expect(tokenizePreferences(rows, undefined, { vocabularySize: 512 })).rejects.toThrow(/^a, row 1 /);
});

it('ends at the first row whose rendering does not end, and renders no further one', { timeout: 60_000 }, async () => {
  let renderings = 0;
  const loop = (): never => {
    renderings += 1;
    for (;;);
  };
  const tokenizer = {
    ...mergingTokenizer(),
    hasChatTemplate: true,
    renderChat: () => withinTime(loop, { where: 'model', what: 'the chat template', limitMs: 50 }),
  };
  const answer = (content: string) => [{ role: 'assistant', content }];
  const rows = Array.from({ length: 100 }, (_, number): PreferenceRow => {
    const prompt = [{ role: 'user', content: 'a' }];
    return { file: 'a', row: number, form: 'messages', prompt, chosen: answer('b'), rejected: answer('c') };
  });
  await expect(tokenizePreferences(rows, tokenizer)).rejects.toThrow(/the chat template takes too long/);
  // Once with all the rows, and once alone; on a busy machine each of them is begun anew.
  expect(renderings).toBeLessThan(20);
});

it('refuses a data set of which no row is left', async () => {
  const rows = [row('a', 0, [5], [6, 6], [7])];
  await expect(tokenizePreferences(rows, undefined, { maxLength: 2, truncate: 'drop' })).rejects.toThrow(
    /no row is left.*0 of 1 rows kept; 1 dropped \(response too long\)/,
  );
  await expect(tokenizePreferences([], undefined)).rejects.toThrow(/Give files that hold rows/);
});
