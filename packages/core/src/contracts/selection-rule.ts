import type { NoPairReason } from './pair-rule.js';
import type { RowFeatures } from './preference-row.js';

/** What an iteration found about a row that it selected. */
export interface RowOutcome extends RowFeatures {
  /** Preference score s when it was selected; absent where rows were not scored. */
  readonly score?: number | undefined;
  /** Mean of the rewards of its responses that could be read, and best less worst; absent without any. */
  readonly reward?: number | undefined;
  readonly spread?: number | undefined;
  /** Online pairs that it gave, and why it gave none. */
  readonly pairs: number;
  readonly reason?: NoPairReason | undefined;
}

/** What an earlier iteration of the run found. */
export interface EarlierIteration {
  readonly iteration: number;
  /** The rows that it selected. */
  readonly rows: readonly RowOutcome[];
}

/** The rows of one slice that a selection rule decides about, B rows in data set order. */
export interface SelectionCandidates {
  /** `[B]` row numbers. */
  readonly rows: Int32Array;
  /** `[B]` float32: preference scores s. */
  readonly scores: Float32Array;
  /** `[B]` float32: the meta-learner's weights w. */
  readonly weights: Float32Array;
  /** `[B]` float64 in [0, 1): one draw a row, keyed by (seed, iteration, row) and never by order of arrival. */
  readonly uniforms: Float64Array;
  /** Most rows that may be selected, from the run's annotation budget; `undefined` when there is none. */
  readonly limit?: number | undefined;
  /** `[B]` features of the rows; absent outside of a run. */
  readonly features?: readonly RowFeatures[] | undefined;
  /** What earlier iterations of the run found, oldest first; slices are disjoint, so of other rows. Absent outside of a run. */
  readonly earlier?: readonly EarlierIteration[] | undefined;
}

/** Chooses the prompts that get new responses. Pure. */
export interface SelectionRule {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** True when the rule reads scores or weights; false spares the scoring pass. */
  readonly readsScores: boolean;
  /** Indices into the candidates that were selected, ascending, at most `limit` of them. */
  select(candidates: SelectionCandidates): Int32Array;
}
