import { join } from 'node:path';
import { cacheHome } from '@metaapo/core/storage';
import {
  type BadRowListener,
  cachedTokenization,
  type DataFile,
  listBadRows,
  type SequenceReport,
  type TokenizationOptions,
} from '@metaapo/data';
import { createProgress } from '../terminal/progress.js';
import type { TextCoding } from './load-preferences.js';

/** Rows as token ids, with what is said of them. */
interface Tokenized {
  readonly report: SequenceReport & { readonly summary: string; readonly badRows?: readonly string[] };
}

/** Rows of some files, and what tokenises them. */
export interface RowsToTokenize<Row, Options extends TokenizationOptions, Result extends Tokenized> {
  /** Which kind of rows, and everything else that reading them follows from. */
  readonly kind: readonly unknown[];
  readonly files: readonly DataFile[];
  readonly badRows: 'error' | 'drop';
  readonly read: (onBadRow: BadRowListener | undefined) => AsyncIterable<Row>;
  readonly options: Options;
  readonly tokenize: (rows: AsyncIterable<Row> | Iterable<Row>, options: Options) => Promise<Result>;
}

/**
 * Tokenised rows, from the cache where the same files were tokenised in the same way before; else with a progress bar.
 * @param name of the data set, for the bar
 */
export function tokenizedRows<Row, Options extends TokenizationOptions, Result extends Tokenized>(
  name: string,
  { tokenizer }: Pick<TextCoding, 'tokenizer'>,
  { kind, files, badRows, read, options, tokenize }: RowsToTokenize<Row, Options, Result>,
): Promise<Result> {
  const key = { settings: [kind, options, badRows], tokenizer: tokenizer?.fingerprint, files };
  return cachedTokenization(join(cacheHome(process.env), 'tokenized-rows'), key, async () => {
    // All rows first, since only then their number is known; a trial reads no further than it needs.
    const { onBadRow, lines } = listBadRows(badRows);
    const rows = options.maxRows === undefined ? await collected(read(onBadRow)) : read(onBadRow);
    const total = Array.isArray(rows) ? rows.length : options.maxRows!;
    const progress = createProgress(`tokenize ${name}`);
    try {
      const update = (done: number): void => progress.update(Math.min(done, total), total);
      const tokenized = await tokenize(rows, { ...options, onBadRow, progress: update });
      return { ...tokenized, report: { ...tokenized.report, badRows: lines() } };
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
