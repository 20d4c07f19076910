/** A response with its reward. */
export interface ScoredResponse {
  readonly text: string;
  /** Token ids, the end-of-sequence id included when it ended by itself. */
  readonly tokens: Int32Array;
  readonly reward: number;
  readonly finishReason: 'stop' | 'length';
}

/**
 * Why no pair was made: fewer responses than it takes, equal rewards, equal texts, or an offline response that no new
 * one beats.
 */
export type NoPairReason = 'too-few' | 'tie' | 'duplicates' | 'not-better';

/** A preference between two responses, or why there is none. */
export type PairOutcome =
  | { readonly chosen: ScoredResponse; readonly rejected: ScoredResponse }
  | { readonly reason: NoPairReason };

/** Makes one preference pair of the responses to a prompt. Pure. */
export interface PairRule {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** True where it reads the row's offline chosen response, which is annotated for it alone; default false. */
  readonly readsOffline?: boolean | undefined;
  /**
   * @param responses those with a text and a readable reward
   * @param uniform a draw from [0, 1) that belongs to the row
   * @param offline the row's offline chosen response, where `readsOffline` asks for it and its reward is readable
   */
  pair(responses: readonly ScoredResponse[], uniform: number, offline?: ScoredResponse): PairOutcome;
}
