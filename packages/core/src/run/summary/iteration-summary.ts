import type { MetaFeatures, Objective, ObjectiveState } from '../../contracts/index.js';
import type { ByStage, IterationSummary, KlEstimate } from '../../journal/index.js';
import { logSigmoid } from '../../numerics/index.js';
import type { RowRewards } from '../annotation/row-rewards.js';
import { type AnnotatedResponses, isReadable } from '../pairs/build-pairs.js';
import { rowSamples, type SampleInput } from './row-samples.js';

/** Scores at which the meta-learner's curve is drawn. */
const CURVE_SCORES = Array.from({ length: 41 }, (_, index) => -10 + index / 2);

/** Weights h(s) over a range of scores before and after an iteration; empty where nothing weighs. */
function weightCurve({ weigh, stateBefore, stateAfter }: SummaryInput): IterationSummary['curve'] {
  if (weigh === undefined) return { scores: [], before: [], after: [] };
  const logSigmoidScore = Float32Array.from(CURVE_SCORES, logSigmoid);
  const features: MetaFeatures = { logSigmoidScore, ...neutralFeatures(CURVE_SCORES.length) };
  return { scores: CURVE_SCORES, before: [...weigh(stateBefore, features)], after: [...weigh(stateAfter, features)] };
}

/** Responses of equal length and entropy in the first iteration: what a curve over scores alone holds constant. */
function neutralFeatures(count: number) {
  const tokens = new Int32Array(count).fill(100);
  const entropy = new Float32Array(count).fill(1);
  return {
    chosenTokens: tokens,
    rejectedTokens: tokens,
    chosenEntropy: entropy,
    rejectedEntropy: entropy,
    iteration: 0,
  };
}

/** What {@link summarize} is made of. */
export interface SummaryInput extends SampleInput {
  readonly iteration: number;
  readonly selected: number;
  readonly steps: number;
  /** Most responses of a row that are scored. */
  readonly callsPerPrompt: number;
  /** Gives the weights of scored rows; absent where nothing weighs them. */
  readonly weigh: NonNullable<Objective['scoring']>['weights'];
  readonly stateBefore: ObjectiveState;
  readonly stateAfter: ObjectiveState;
  readonly seconds: ByStage;
  readonly tokens: ByStage;
  readonly heldOutReward: number | undefined;
  readonly kl: KlEstimate | undefined;
}

/** The summary of an iteration. */
export function summarize(input: SummaryInput): IterationSummary {
  const { iteration, rows, selected, steps, built, callsPerPrompt, seconds, tokens } = input;
  const annotated = [...input.given.rewards.values()];
  const readable = annotated.flatMap(({ rewards }) => rewards.filter(isReadable));
  return {
    iteration,
    rows: rows.length,
    selected,
    steps,
    annotations: {
      done: sumOf(annotated, ({ scored }) => scored),
      ofAll: rows.length * callsPerPrompt,
      ...nonZero({
        spared: sumOf(annotated, ({ spared }) => spared),
        otherwise: sumOf(annotated, ({ scoredOtherwise }) => scoredOtherwise),
      }),
    },
    pairs: built.counts,
    rewards: { chosen: built.chosenReward, rejected: built.rejectedReward, all: meanOf(readable) },
    ...referenceResponses(input.given),
    heldOutReward: input.heldOutReward,
    kl: input.kl,
    weightHistogram: histogramOf(input.weights),
    curve: weightCurve(input),
    samples: rowSamples(input),
    seconds,
    tokens,
  };
}

function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What the reference answered; empty where it was not asked. */
function referenceResponses({ responses, rewards }: AnnotatedResponses): Pick<IterationSummary, 'fromReference'> {
  const given = [...rewards].flatMap(([row, own]) =>
    responses.get(row)!.flatMap(({ source }, index) => (source === 'reference' ? [own.rewards[index]] : [])),
  );
  if (given.length === 0) return {};
  return { fromReference: { responses: given.length, reward: meanOf(given.filter(isReadable)) } };
}

function sumOf(rows: readonly RowRewards[], read: (row: RowRewards) => number): number {
  return rows.reduce((sum, row) => sum + read(row), 0);
}

/** The counts that are not zero: what an annotation rule spared, or had scored by others. */
function nonZero<Counts extends Readonly<Record<string, number>>>(counts: Counts): Partial<Counts> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)) as Partial<Counts>;
}

function histogramOf(weights: Float32Array | undefined): readonly number[] {
  if (weights === undefined) return [];
  const counts = new Array<number>(10).fill(0);
  for (const weight of weights) counts[Math.min(9, Math.floor(weight * 10))]! += 1;
  return counts;
}
