import type { ResponseSource } from './annotation-rule.js';
import type { RowFeatures } from './preference-row.js';

/** A response with its reward. */
export interface ScoredResponse {
  readonly text: string;
  /** Token ids, the end-of-sequence id included when it ended by itself. */
  readonly tokens: Int32Array;
  readonly reward: number;
  readonly finishReason: 'stop' | 'length';
  /** Whose it is; absent outside of a run. */
  readonly source?: ResponseSource | undefined;
}

/**
 * Why no pair was made: fewer responses than it takes, equal rewards, equal texts, or an offline response that no new
 * one beats.
 */
export type NoPairReason = 'too-few' | 'tie' | 'duplicates' | 'not-better';

/** A preference between two responses. */
export interface ResponsePair {
  readonly chosen: ScoredResponse;
  readonly rejected: ScoredResponse;
}

/** A preference between two responses, several of them (at least one), or why there is none. */
export type PairOutcome =
  | ResponsePair
  | { readonly pairs: readonly ResponsePair[] }
  | { readonly reason: NoPairReason };

/** The pairs of an outcome; none where there is a reason. */
export function pairsOf(outcome: PairOutcome): readonly ResponsePair[] {
  if ('reason' in outcome) return [];
  return 'pairs' in outcome ? outcome.pairs : [outcome];
}

/** Makes preference pairs of the responses to a prompt. Pure. */
export interface PairRule {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** True where it reads the row's offline chosen response, which is annotated for it alone; default false. */
  readonly readsOffline?: boolean | undefined;
  /**
   * @param responses those with a text and a readable reward
   * @param uniform a draw from [0, 1) that belongs to the row
   * @param offline the row's offline chosen response, where `readsOffline` asks for it and its reward is readable
   * @param row what is known of the row; absent outside of a run
   */
  pair(responses: readonly ScoredResponse[], uniform: number, offline?: ScoredResponse, row?: RowFeatures): PairOutcome;
}
