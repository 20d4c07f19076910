import type { DemonstrationRow, TokenizedDemonstration, Tokenizer } from '@metaapo/core/contracts';
import { type DemonstrationReport, demonstrationReport } from './demonstration-report.js';
import { noRowLeft } from './no-row-left.js';
import { carryOutAll } from './row-plans.js';
import { SequenceTally } from './sequence-tally.js';
import { type DemonstrationOptions, demonstrationPlan } from './tokenize-demonstration.js';

/** Demonstrations as token ids, and what became of the rows. */
export interface TokenizedDemonstrations {
  readonly rows: TokenizedDemonstration[];
  readonly report: DemonstrationReport;
}

/**
 * Token ids of demonstrations in order, numbered over all files before any row is left out.
 * @param tokenizer may be `undefined` when all rows hold token ids
 * @throws MetaapoError with code `data` at the first bad row, or when no row is left; see `tokenizeDemonstration`
 */
export async function tokenizeDemonstrations(
  rows: AsyncIterable<DemonstrationRow> | Iterable<DemonstrationRow>,
  tokenizer: Tokenizer | undefined,
  options: DemonstrationOptions = {},
): Promise<TokenizedDemonstrations> {
  const tally = new SequenceTally();
  const tokenized: TokenizedDemonstration[] = [];
  let [done, responses, beyond] = [0, 0, 0];
  const planOf = (row: DemonstrationRow, number: number) => demonstrationPlan(row, tokenizer, options, number);
  for await (const { row, result } of carryOutAll(rows, tokenizer, planOf, options.onBadRow)) {
    options.progress?.(++done);
    if ('dropped' in result) {
      tally.drop(result.dropped);
      continue;
    }
    const { turns } = result.demonstration;
    tokenized.push(result.demonstration);
    responses += turns.length;
    beyond += result.beyond;
    const groups = turns.map(({ prompt, response }) => ({ prompt, responses: [response] }));
    tally.keep(row, groups, result.truncated, tokenizer?.eosTokenId);
    if (tokenized.length === options.maxRows) break;
  }
  const report = demonstrationReport(tally.report(), responses, beyond);
  if (tokenized.length > 0) return { rows: tokenized, report };
  throw noRowLeft(report);
}
