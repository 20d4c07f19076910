import type { MetaFeatures, MetaLearner, MetaLearnerState, SelectionRule } from '../contracts/index.js';
import { logSigmoid, uniformOf } from '../numerics/index.js';

/** An offline pair with its preference score, as selection sees it. */
export interface ScoredRow {
  /** Number of the row in its data set. */
  readonly row: number;
  /** Preference score s; may be absent where the rule reads none. */
  readonly score?: number | undefined;
  /** Response lengths in tokens. */
  readonly chosenTokens: number;
  readonly rejectedTokens: number;
  /** Mean entropies in nats a token, where the meta-learner reads them. */
  readonly chosenEntropy?: number | undefined;
  readonly rejectedEntropy?: number | undefined;
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

/**
 * Weights w `[rows]` and the indices of the rows that get new responses (arXiv 2509.23371: online iff u > w). Rows that
 * were not scored have no weights; a rule that reads none is shown NaN.
 */
export function selectPrompts(input: SelectionInput): {
  readonly weights: Float32Array | undefined;
  readonly selected: Int32Array;
} {
  const { rule, rows, seed, iteration, limit } = input;
  const isScored = rows.every(({ score }) => score !== undefined);
  const scores = Float32Array.from(rows, ({ score }) => score ?? Number.NaN);
  const weights = isScored ? weightsOf(input, scores) : undefined;
  const numbers = Int32Array.from(rows, ({ row }) => row);
  const uniforms = Float64Array.from(numbers, (row) => uniformOf(['selection', seed, iteration, row]));
  const shown = weights ?? scores.map(() => Number.NaN);
  return { weights, selected: rule.select({ rows: numbers, scores, weights: shown, uniforms, limit }) };
}

function weightsOf({ learner, state, rows, iteration }: SelectionInput, scores: Float32Array): Float32Array {
  return learner.weights(state, {
    logSigmoidScore: scores.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosenTokens }) => chosenTokens),
    rejectedTokens: Int32Array.from(rows, ({ rejectedTokens }) => rejectedTokens),
    ...entropiesOf(rows),
    iteration,
  });
}

/** Entropies of rows that all have them. */
function entropiesOf(rows: readonly ScoredRow[]): Pick<MetaFeatures, 'chosenEntropy' | 'rejectedEntropy'> {
  const isKnown = rows.every((row) => row.chosenEntropy !== undefined && row.rejectedEntropy !== undefined);
  if (!isKnown) return {};
  return {
    chosenEntropy: Float32Array.from(rows, ({ chosenEntropy }) => chosenEntropy!),
    rejectedEntropy: Float32Array.from(rows, ({ rejectedEntropy }) => rejectedEntropy!),
  };
}
