import { MetaapoError, type PreferenceRow, type TokenizedPreference, type Tokenizer } from '@metaapo/core/contracts';
import { type TokenizationReport, TokenizationTally } from './tokenization-report.js';
import { type TokenizationOptions, tokenizePreference } from './tokenize-preference.js';

/** A data set as token ids, and what became of its rows. */
export interface TokenizedPreferences {
  readonly rows: TokenizedPreference[];
  readonly report: TokenizationReport;
}

/**
 * Token ids of a data set in order, numbered over all of its files before any row is left out.
 * @param tokenizer may be `undefined` when all rows hold token ids
 * @throws MetaapoError with code `data` at the first bad row, or when no row is left; see {@link tokenizePreference}
 */
export async function tokenizePreferences(
  rows: AsyncIterable<PreferenceRow> | Iterable<PreferenceRow>,
  tokenizer: Tokenizer | undefined,
  options: TokenizationOptions = {},
): Promise<TokenizedPreferences> {
  const tally = new TokenizationTally();
  const tokenized: TokenizedPreference[] = [];
  let number = 0;
  for await (const row of rows) {
    const result = tokenizePreference(row, tokenizer, options, number++);
    if ('dropped' in result) {
      tally.drop(result.dropped);
      continue;
    }
    tokenized.push(result.preference);
    tally.keep(row, result.preference, result.truncated, tokenizer?.eosTokenId);
  }
  const report = tally.report();
  if (tokenized.length > 0) return { rows: tokenized, report };
  throw new MetaapoError('data', 'no row is left', {
    where: 'the data set',
    expected: 'at least one row within the length limits',
    got: report.summary,
    remedy: report.rows === 0 ? 'Give files that hold rows' : 'Raise maxLength, or choose truncate: response-tail',
  });
}
