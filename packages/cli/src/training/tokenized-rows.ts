import { join } from 'node:path';
import { cachedTokenization, type TokenizationOptions } from '@metaapo/data';
import { cacheHome } from '@metaapo/engine';
import { createProgress } from '../terminal/progress.js';
import type { TextCoding } from './load-preferences.js';

/** Rows of some files, and what tokenises them. */
export interface RowsToTokenize<Row, Options extends TokenizationOptions, Result> {
  /** Which kind of rows, and everything else that reading them follows from. */
  readonly kind: readonly unknown[];
  readonly files: readonly string[];
  readonly read: () => AsyncIterable<Row>;
  readonly options: Options;
  readonly tokenize: (rows: AsyncIterable<Row> | Iterable<Row>, options: Options) => Promise<Result>;
}

/**
 * Tokenised rows, from the cache where the same files were tokenised in the same way before; else with a progress bar.
 * @param name of the data set, for the bar
 */
export function tokenizedRows<Row, Options extends TokenizationOptions, Result>(
  name: string,
  { tokenizer }: Pick<TextCoding, 'tokenizer'>,
  { kind, files, read, options, tokenize }: RowsToTokenize<Row, Options, Result>,
): Promise<Result> {
  const key = { settings: [kind, options], tokenizer: tokenizer?.fingerprint, files };
  return cachedTokenization(join(cacheHome(process.env), 'tokenized-rows'), key, async () => {
    // All rows first, since only then their number is known; a trial reads no further than it needs.
    const rows = options.maxRows === undefined ? await collected(read()) : read();
    const total = Array.isArray(rows) ? rows.length : options.maxRows!;
    const progress = createProgress(`tokenize ${name}`);
    try {
      return await tokenize(rows, { ...options, progress: (done) => progress.update(Math.min(done, total), total) });
    } finally {
      progress.end();
    }
  });
}

async function collected<Row>(rows: AsyncIterable<Row>): Promise<readonly Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}
