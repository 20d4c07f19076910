/** Counted so that nothing is lost in silence. */
export interface PairCounts {
  readonly pairs: number;
  readonly responses: number;
  /** Responses cut at the limit; kept without an end-of-sequence token, or left out. */
  readonly truncated: number;
  /** Responses without text, left out. */
  readonly empty: number;
  /** Responses whose reward could not be read, left out. */
  readonly unreadable: number;
  /** Comparisons of two responses that could not be read, left out of their rewards. */
  readonly unreadableComparisons: number;
  /** Selected rows without a pair, by reason. */
  readonly tie: number;
  readonly twins: number;
  readonly 'too-few': number;
  readonly 'not-better': number;
}

/** Counts that begin at nothing. */
export function noCounts(): { -readonly [Name in keyof PairCounts]: number } {
  return {
    pairs: 0,
    responses: 0,
    truncated: 0,
    empty: 0,
    unreadable: 0,
    unreadableComparisons: 0,
    tie: 0,
    twins: 0,
    'too-few': 0,
    'not-better': 0,
  };
}
