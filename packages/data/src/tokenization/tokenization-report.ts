import { type SequenceReport, sequenceSummary } from './sequence-tally.js';

/** What became of the rows of preferences, to be shown before a run. */
export interface TokenizationReport extends SequenceReport {
  /** Kept rows whose chosen and rejected ids are the same: they teach nothing. */
  readonly identicalPairs: number;
  /** All of it as one sentence. */
  readonly summary: string;
}

/** The report of preferences. */
export function tokenizationReport(counts: SequenceReport, identicalPairs: number): TokenizationReport {
  const remarks = identicalPairs > 0 ? [`${identicalPairs} pairs of identical responses`] : [];
  return { ...counts, identicalPairs, summary: sequenceSummary(counts, remarks) };
}
