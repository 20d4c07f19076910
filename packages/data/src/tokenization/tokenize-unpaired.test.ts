import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readUnpaired, type UnpairedReadOptions } from '../rows/read-unpaired.js';
import { tokenizeUnpaired } from './tokenize-unpaired.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-unpaired-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
/** Judged responses of a file with these rows. */
async function read(rows: readonly object[], options: UnpairedReadOptions = {}) {
  const file = join(directory, `${files++}.jsonl`);
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const found = [];
  for await (const row of readUnpaired(file, options)) found.push(row);
  return found;
}

const ids = (prompt: number[], completion: number[], label: boolean | number = true) => ({ prompt, completion, label });

describe('judged responses', () => {
  it('are read in every form, with labels as booleans or as 0 and 1', async () => {
    const rows = await read([
      { prompt: 'How?', completion: 'So.', label: true },
      ids([1], [2], 0),
      { prompt: [{ role: 'user', content: 'Hi' }], completion: [{ role: 'assistant', content: 'Ho' }], label: 1 },
    ]);
    expect(rows).toMatchObject([
      { form: 'text', row: 0, prompt: 'How?', completion: 'So.', isDesirable: true },
      { form: 'tokens', prompt: Int32Array.of(1), completion: Int32Array.of(2), isDesirable: false },
      { form: 'messages', completion: [{ role: 'assistant', content: 'Ho' }], isDesirable: true },
    ]);
  });

  it('come from pairs where asked: the chosen one is desirable', async () => {
    const rows = await read([{ prompt: 'p', chosen: 'good', rejected: 'bad' }], { pairs: 'split' });
    expect(rows).toMatchObject([
      { completion: 'good', isDesirable: true },
      { completion: 'bad', isDesirable: false },
    ]);
  });

  it('without a label are refused, with the row and what to do', async () => {
    await expect(read([{ prompt: 'p', completion: 'c' }])).rejects.toThrow(
      /row 0 .*whether its response is wanted.*`label`: true or false; got nothing.*data\.pairs to split/s,
    );
    await expect(read([{ prompt: 'p', completion: 'c', label: 'yes' }])).rejects.toThrow(/got text "yes"/);
    await expect(read([{ prompt: 'p', chosen: 'c', rejected: 'd' }])).rejects.toThrow(/no `completion`/);
  });
});

describe('the mismatched response of a row', () => {
  it('is that of the next row with another prompt, around the end', async () => {
    const rows = await read([ids([1], [10]), ids([1], [11], false), ids([2], [12]), ids([1], [13])]);
    const { rows: tokenized, report } = await tokenizeUnpaired(rows, undefined);
    expect(tokenized.map(({ mismatched }) => mismatched[0])).toEqual([12, 12, 13, 12]);
    expect(tokenized.map(({ row }) => row)).toEqual([0, 1, 2, 3]);
    expect(report).toMatchObject({ desirable: 3, undesirable: 1, kept: 4 });
    expect(report.summary).toContain('3 desirable, 1 undesirable');
  });

  it('is cut where the prompt leaves less room', async () => {
    const rows = await read([ids([1, 2, 3], [10]), ids([4], [11, 12, 13])]);
    const { rows: tokenized } = await tokenizeUnpaired(rows, undefined, { maxLength: 4 });
    expect(tokenized[0]).toMatchObject({ mismatched: Int32Array.of(11), completion: Int32Array.of(10) });
  });

  it('needs a second prompt', async () => {
    const rows = await read([ids([1], [10]), ids([1], [11])]);
    await expect(tokenizeUnpaired(rows, undefined)).rejects.toThrow(/all rows have the same prompt.*2 rows with one/s);
  });
});
