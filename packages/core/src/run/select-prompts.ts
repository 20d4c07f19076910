import type { MetaLearner, MetaLearnerState, SelectionRule, TokenizedPreference } from '../contracts/index.js';
import { uniformOf } from '../numerics/index.js';
import { logSigmoid } from '../trainer/index.js';

/** What a selection looks at. */
export interface SelectionInput {
  readonly rule: SelectionRule;
  readonly learner: MetaLearner;
  readonly state: MetaLearnerState;
  readonly rows: readonly TokenizedPreference[];
  /** `[rows]` preference scores s. */
  readonly scores: Float32Array;
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
  const { rule, learner, state, rows, scores, seed, iteration, limit } = input;
  const weights = learner.weights(state, {
    logSigmoidScore: scores.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosen }) => chosen.length),
    rejectedTokens: Int32Array.from(rows, ({ rejected }) => rejected.length),
    iteration,
  });
  const numbers = Int32Array.from(rows, ({ row }) => row);
  const uniforms = Float64Array.from(numbers, (row) => uniformOf(['selection', seed, iteration, row]));
  return { weights, selected: rule.select({ rows: numbers, scores, weights, uniforms, limit }) };
}
