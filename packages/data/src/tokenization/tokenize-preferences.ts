import type { PreferenceRow, TokenizedPreference, Tokenizer } from '@metaapo/core/contracts';
import { noRowLeft } from './no-row-left.js';
import { carryOutAll } from './row-plans.js';
import { SequenceTally } from './sequence-tally.js';
import type { SplitIds } from './split-at-boundary.js';
import { type TokenizationReport, tokenizationReport } from './tokenization-report.js';
import { preferencePlan, type TokenizationOptions } from './tokenize-preference.js';

/** A data set as token ids, and what became of its rows. */
export interface TokenizedPreferences {
  readonly rows: TokenizedPreference[];
  readonly report: TokenizationReport;
}

/**
 * Token ids of a data set in order, numbered over all of its files before any row is left out.
 * @param tokenizer may be `undefined` when all rows hold token ids
 * @throws MetaapoError with code `data` at the first bad row, or when no row is left; see `tokenizePreference`
 */
export async function tokenizePreferences(
  rows: AsyncIterable<PreferenceRow> | Iterable<PreferenceRow>,
  tokenizer: Tokenizer | undefined,
  options: TokenizationOptions = {},
): Promise<TokenizedPreferences> {
  const tally = new SequenceTally();
  const tokenized: TokenizedPreference[] = [];
  let done = 0;
  const planOf = (row: PreferenceRow, number: number) => preferencePlan(row, tokenizer, options, number);
  for await (const { row, result } of carryOutAll(rows, tokenizer, planOf, options.onBadRow)) {
    options.progress?.(++done);
    if ('dropped' in result) {
      tally.drop(result.dropped);
      continue;
    }
    tokenized.push(result.preference);
    tally.keep(row, [idsOf(result.preference)], result.truncated, tokenizer?.eosTokenId);
    if (tokenized.length === options.maxRows) break;
  }
  const report = tokenizationReport(tally.report(), {
    identicalPairs: tokenized.filter(isIdentical).length,
    rowsWithoutOpening: tokenized.filter(({ opening }) => opening !== undefined).length,
  });
  if (tokenized.length > 0) return { rows: tokenized, report };
  throw noRowLeft(report);
}

function idsOf({ prompt, chosen, rejected, online = [] }: TokenizedPreference): SplitIds {
  return { prompt, responses: [chosen, rejected, ...online.flatMap((pair) => [pair.chosen, pair.rejected])] };
}

function isIdentical({ chosen, rejected }: TokenizedPreference): boolean {
  return chosen.length === rejected.length && chosen.every((id, index) => id === rejected[index]);
}
