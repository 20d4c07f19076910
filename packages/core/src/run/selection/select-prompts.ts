import type { EarlierIteration, MetaFeatures, RowFeatures, SelectionRule } from '../../contracts/index.js';
import { logSigmoid, uniformOf } from '../../numerics/index.js';
import type { IterationContext } from '../run-iteration.js';
import type { RunOptions } from '../run-options.js';
import { featuresOf } from './row-features.js';

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
  /** Weights w of scored rows in [0, 1]; absent where nothing weighs them. */
  readonly weigh?: ((features: MetaFeatures) => Float32Array) | undefined;
  readonly rows: readonly ScoredRow[];
  readonly seed: number;
  readonly iteration: number;
  /** Most rows that may be selected. */
  readonly limit?: number | undefined;
  /** `[rows]` features, and what earlier iterations found; absent outside of a run. */
  readonly features?: readonly RowFeatures[] | undefined;
  readonly earlier?: readonly EarlierIteration[] | undefined;
}

/**
 * Weights w `[rows]` and the indices of the rows that get new responses (arXiv 2509.23371: online iff u > w). Rows that
 * were not scored have no weights; a rule that reads none is shown NaN.
 */
export function selectPrompts(input: SelectionInput): {
  readonly weights: Float32Array | undefined;
  readonly selected: Int32Array;
} {
  const { rule, rows, seed, iteration, limit, features, earlier } = input;
  const isScored = rows.every(({ score }) => score !== undefined);
  const scores = Float32Array.from(rows, ({ score }) => score ?? Number.NaN);
  const weights = isScored ? input.weigh?.(metaFeatures(input, scores)) : undefined;
  const numbers = Int32Array.from(rows, ({ row }) => row);
  const uniforms = Float64Array.from(numbers, (row) => uniformOf(['selection', seed, iteration, row]));
  const shown = weights ?? scores.map(() => Number.NaN);
  const candidates = { rows: numbers, scores, weights: shown, uniforms, limit, features, earlier };
  return { weights, selected: rule.select(candidates) };
}

/** Weights of the slice, where it was scored; the selected rows go into the record and the journal. */
export async function selectSlice(
  { parts, seed }: RunOptions,
  { rows, record, journal, iteration, state, limit, earlier }: IterationContext,
  scores: Float32Array | undefined,
): Promise<Float32Array | undefined> {
  const { scoring } = parts.objective;
  const { weights, selected } = selectPrompts({
    rule: parts.selection,
    weigh: scoring?.weights && ((features) => scoring.weights!(state.objective, features)),
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
    features: rows.map(featuresOf),
    earlier,
  });
  if (record.selected === undefined) {
    const numbers = Array.from(selected, (index) => rows[index]!.row);
    await journal.append({ kind: 'selection', iteration, selected: numbers, weights: [...(weights ?? [])] });
    record.selected = new Set(numbers);
  }
  return weights;
}

function metaFeatures({ rows, iteration }: SelectionInput, scores: Float32Array): MetaFeatures {
  return {
    logSigmoidScore: scores.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosenTokens }) => chosenTokens),
    rejectedTokens: Int32Array.from(rows, ({ rejectedTokens }) => rejectedTokens),
    ...entropiesOf(rows),
    iteration,
  };
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
