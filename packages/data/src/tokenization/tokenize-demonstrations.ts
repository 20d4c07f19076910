import type { DemonstrationRow, TokenizedDemonstration, Tokenizer } from '@metaapo/core/contracts';
import { type DemonstrationReport, demonstrationReport } from './demonstration-report.js';
import { noRowLeft } from './no-row-left.js';
import { SequenceTally } from './sequence-tally.js';
import { type DemonstrationOptions, tokenizeDemonstration } from './tokenize-demonstration.js';

/** Demonstrations as token ids, and what became of the rows. */
export interface TokenizedDemonstrations {
  readonly rows: TokenizedDemonstration[];
  readonly report: DemonstrationReport;
}

/**
 * Token ids of demonstrations in order, numbered over all files before any row is left out.
 * @param tokenizer may be `undefined` when all rows hold token ids
 * @throws MetaapoError with code `data` at the first bad row, or when no row is left; see {@link tokenizeDemonstration}
 */
export async function tokenizeDemonstrations(
  rows: AsyncIterable<DemonstrationRow> | Iterable<DemonstrationRow>,
  tokenizer: Tokenizer | undefined,
  options: DemonstrationOptions = {},
): Promise<TokenizedDemonstrations> {
  const tally = new SequenceTally();
  const tokenized: TokenizedDemonstration[] = [];
  let [number, responses, beyond] = [0, 0, 0];
  for await (const row of rows) {
    const result = tokenizeDemonstration(row, tokenizer, options, number++);
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
