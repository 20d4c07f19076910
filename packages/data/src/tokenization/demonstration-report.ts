import { type SequenceReport, sequenceSummary } from './sequence-tally.js';

/** What became of the rows of demonstrations, to be shown before a training. */
export interface DemonstrationReport extends SequenceReport {
  /** Responses that are trained, over all kept rows. */
  readonly responses: number;
  /** Responses of kept conversations that lie beyond the longest length: they are left out. */
  readonly responsesBeyond: number;
  /** All of it as one sentence. */
  readonly summary: string;
}

/** The report of demonstrations. */
export function demonstrationReport(
  counts: SequenceReport,
  responses: number,
  responsesBeyond: number,
): DemonstrationReport {
  const remarks = [
    ...(responsesBeyond > 0 ? [`${responsesBeyond} responses left out beyond the limit`] : []),
    `${responses} responses to train`,
  ];
  return { ...counts, responses, responsesBeyond, summary: sequenceSummary(counts, remarks) };
}
