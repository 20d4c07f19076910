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
