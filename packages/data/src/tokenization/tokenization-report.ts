import { type SequenceReport, sequenceSummary } from './sequence-tally.js';

/** What became of the rows of preferences, to be shown before a run. */
export interface TokenizationReport extends SequenceReport {
  /** Kept rows whose chosen and rejected ids are the same: they teach nothing. */
  readonly identicalPairs: number;
  /** Kept rows whose answers lack what the chat template opens an answer with: their prompts end before it. */
  readonly rowsWithoutOpening: number;
  /** All of it as one sentence. */
  readonly summary: string;
}

/** The report of preferences. */
export function tokenizationReport(
  counts: SequenceReport,
  { identicalPairs, rowsWithoutOpening }: Pick<TokenizationReport, 'identicalPairs' | 'rowsWithoutOpening'>,
): TokenizationReport {
  const remarks = [
    ...(identicalPairs > 0 ? [`${identicalPairs} pairs of identical responses`] : []),
    ...(rowsWithoutOpening > 0
      ? [`${rowsWithoutOpening} rows whose answers lack what the chat template opens an answer with`]
      : []),
  ];
  return { ...counts, identicalPairs, rowsWithoutOpening, summary: sequenceSummary(counts, remarks) };
}
