import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { readDemonstrations } from './read-demonstrations.js';
import { readPreferences } from './read-preferences.js';
import { readPrompts, readResponses } from './read-prompts.js';
import type { FormOptions } from './read-rows.js';
import { readUnpaired } from './read-unpaired.js';

const VALUES = { prompt: 'Tide?', chosen: 'Up.', rejected: 'No.', completion: 'Up.', response: 'Up.', label: true };

const read = (
  reader: (file: string, options: FormOptions) => AsyncGenerator,
  more: object,
  options: FormOptions = {},
) => collect(reader(temporaryFile('rows.jsonl', JSON.stringify({ ...VALUES, ...more })), options));

const TRAINED = [
  ['pairs', readPreferences],
  ['judged responses', readUnpaired],
  ['split pairs', (file: string, options: FormOptions) => readUnpaired(file, { ...options, pairs: 'split' })],
  ['demonstrations', readDemonstrations],
] as const;

it.each(TRAINED)(
  'of %s that change numbers elsewhere are refused, unless they hold nothing or are left out',
  async (_, reader) => {
    for (const [column, value] of [
      ['margin', 0.5],
      ['sample_weight', 2],
      ['ref_chosen_logps', -12.5],
      ['completion_mask', [0, 1]],
      ['images', ['a.png']],
    ] as const) {
      await expect(read(reader, { [column]: value })).rejects.toThrow(
        new RegExp(`row 0 .*\`${column}\` changes what other trainers compute.*data.columns: {${column}: false}`),
      );
      expect(await read(reader, { [column]: value }, { columnNames: { [column]: false } })).not.toEqual([]);
      for (const nothing of [null, []]) expect(await read(reader, { [column]: nothing })).not.toEqual([]);
    }
  },
);

it.each([
  ['prompts', readPrompts],
  ['responses', readResponses],
] as const)('of %s are refused where they belong to the prompt', async (_, reader) => {
  await expect(read(reader, { images: ['a.png'] })).rejects.toThrow(/`images` changes/);
  expect(await read(reader, { margin: 0.5 })).toHaveLength(1);
});

it('leave rows alone whose other columns say nothing of the loss', async () => {
  expect(await read(readPreferences, { id: 7, source: 'web', rank: 2, prompt_id: 'a' })).toHaveLength(1);
});
