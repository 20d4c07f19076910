import type { MetaFeatures, MetaLearner, MetaLearnerState, SelectionRule } from '../../contracts/index.js';
import { logSigmoid, uniformOf } from '../../numerics/index.js';
import { memoryOf } from '../../objectives/index.js';
import type { IterationContext } from '../run-iteration.js';
import type { RunOptions } from '../run-options.js';

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

/** Weights of the slice, where it was scored; the selected rows go into the record and the journal. */
export async function selectSlice(
  { parts, seed }: RunOptions,
  { rows, record, journal, iteration, state, limit }: IterationContext,
  scores: Float32Array | undefined,
): Promise<Float32Array | undefined> {
  const { weights, selected } = selectPrompts({
    rule: parts.selection,
    learner: parts.metaLearner,
    state: memoryOf(state.objective).metaLearner!,
    rows: rows.map(({ row, chosen, rejected }, index) => ({
      row,
      score: scores?.[index],
      chosenTokens: chosen.length,
      rejectedTokens: rejected.length,
      chosenEntropy: record.entropies?.chosenEntropy[index],
      rejectedEntropy: record.entropies?.rejectedEntropy[index],
    })),
    seed,
    iteration,
    limit,
  });
  if (record.selected === undefined) {
    const numbers = Array.from(selected, (index) => rows[index]!.row);
    await journal.append({ kind: 'selection', iteration, selected: numbers, weights: [...(weights ?? [])] });
    record.selected = new Set(numbers);
  }
  return weights;
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
