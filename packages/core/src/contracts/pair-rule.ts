/** A response with its reward. */
export interface ScoredResponse {
  readonly text: string;
  /** Token ids, the end-of-sequence id included when it ended by itself. */
  readonly tokens: Int32Array;
  readonly reward: number;
  readonly finishReason: 'stop' | 'length';
}

/** Why no pair was made. */
export type NoPairReason = 'too-few' | 'tie' | 'twins';

/** A preference between two responses, or why there is none. */
export type PairOutcome =
  | { readonly chosen: ScoredResponse; readonly rejected: ScoredResponse }
  | { readonly reason: NoPairReason };

/** Makes one preference pair of the responses to a prompt. Pure. */
export interface PairRule {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * @param responses those with a readable reward and at least one token
   * @param uniform a draw from [0, 1) that belongs to the row
   */
  pair(responses: readonly ScoredResponse[], uniform: number): PairOutcome;
}
