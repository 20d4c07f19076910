import type { MetaLearner, MetaLearnerState, SelectionRule } from '../contracts/index.js';
import { logSigmoid, uniformOf } from '../numerics/index.js';

/** An offline pair with its preference score, as selection sees it. */
export interface ScoredRow {
  /** Number of the row in its data set. */
  readonly row: number;
  /** Preference score s. */
  readonly score: number;
  /** Response lengths in tokens. */
  readonly chosenTokens: number;
  readonly rejectedTokens: number;
}

/** What a selection looks at. */
export interface SelectionInput {
  readonly rule: SelectionRule;
  readonly learner: MetaLearner;
  readonly state: MetaLearnerState;
  readonly rows: readonly ScoredRow[];
  readonly seed: number;
  readonly iteration: number;
  /** Most rows that may be selected. */
  readonly limit?: number | undefined;
}

/** Weights w `[rows]` and the indices of the rows that get new responses (arXiv 2509.23371: online iff u > w). */
export function selectPrompts(input: SelectionInput): {
  readonly weights: Float32Array;
  readonly selected: Int32Array;
} {
  const { rule, learner, state, rows, seed, iteration, limit } = input;
  const scores = Float32Array.from(rows, ({ score }) => score);
  const weights = learner.weights(state, {
    logSigmoidScore: scores.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosenTokens }) => chosenTokens),
    rejectedTokens: Int32Array.from(rows, ({ rejectedTokens }) => rejectedTokens),
    iteration,
  });
  const numbers = Int32Array.from(rows, ({ row }) => row);
  const uniforms = Float64Array.from(numbers, (row) => uniformOf(['selection', seed, iteration, row]));
  return { weights, selected: rule.select({ rows: numbers, scores, weights, uniforms, limit }) };
}
