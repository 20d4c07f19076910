import type { MetaLearner, MetaLearnerState } from '../contracts/index.js';
import type { PairCounts } from './build-pairs.js';
import type { KlEstimate } from './kl-to-reference.js';
import { type RowSample, rowSamples, type SampleInput } from './row-samples.js';
import type { Stage } from './run-options.js';

/** What an iteration did, for journals and reports. */
export interface IterationSummary {
  readonly iteration: number;
  /** Rows of the slice. */
  readonly rows: number;
  /** Rows that got new responses. */
  readonly selected: number;
  /** Optimizer steps. */
  readonly steps: number;
  /** Responses that were scored, and how many online DPO would have scored. */
  readonly annotations: { readonly done: number; readonly ofAll: number };
  readonly pairs: PairCounts;
  /** Mean reward of chosen and rejected online responses, and of all responses. */
  readonly rewards: {
    readonly chosen?: number | undefined;
    readonly rejected?: number | undefined;
    readonly all?: number | undefined;
  };
  /** Mean reward of new responses to held-out prompts after the iteration. */
  readonly heldOutReward?: number | undefined;
  /** Distance of the policy from the reference when the iteration began; absent without a reference or new responses. */
  readonly kl?: KlEstimate | undefined;
  /** Counts of the weights w in ten equal bins of [0, 1]. */
  readonly weightHistogram: readonly number[];
  /** Weight h(s) before and after the iteration at scores from -10 to 10. */
  readonly curve: {
    readonly scores: readonly number[];
    readonly before: readonly number[];
    readonly after: readonly number[];
  };
  /** A few rows of the slice as people read them: with an online pair, without one, and not selected. */
  readonly samples: readonly RowSample[];
  /** Seconds by stage. */
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
}

/** Scores at which the meta-learner's curve is drawn. */
const CURVE_SCORES = Array.from({ length: 41 }, (_, index) => -10 + index / 2);

/** The weights h(s) of a meta-learner over a range of scores. */
export function weightCurve(learner: MetaLearner, state: MetaLearnerState): readonly number[] {
  const logSigmoidScore = Float32Array.from(CURVE_SCORES, (s) => Math.min(s, 0) - Math.log1p(Math.exp(-Math.abs(s))));
  return [...learner.weights(state, { logSigmoidScore, ...neutralFeatures(CURVE_SCORES.length) })];
}

/** Lengths of equal responses in the first iteration: what a curve over scores alone holds constant. */
function neutralFeatures(count: number) {
  const tokens = new Int32Array(count).fill(100);
  return { chosenTokens: tokens, rejectedTokens: tokens, iteration: 0 };
}

/** What {@link summarize} is made of. */
export interface SummaryInput extends SampleInput {
  readonly iteration: number;
  readonly selected: number;
  readonly steps: number;
  readonly rewards: Iterable<Float32Array>;
  readonly responsesPerPrompt: number;
  readonly learner: MetaLearner;
  readonly stateBefore: MetaLearnerState;
  readonly stateAfter: MetaLearnerState;
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
  readonly heldOutReward: number | undefined;
  readonly kl: KlEstimate | undefined;
}

/** The summary of an iteration. */
export function summarize(input: SummaryInput): IterationSummary {
  const { iteration, rows, selected, steps, built, responsesPerPrompt, learner, seconds } = input;
  const readable = [...input.rewards].flatMap((values) => [...values]).filter((value) => !Number.isNaN(value));
  const mean = readable.length === 0 ? undefined : readable.reduce((sum, value) => sum + value, 0) / readable.length;
  const weightHistogram = new Array<number>(10).fill(0);
  for (const weight of input.weights) weightHistogram[Math.min(9, Math.floor(weight * 10))]! += 1;
  return {
    iteration,
    rows: rows.length,
    selected,
    steps,
    annotations: { done: selected * responsesPerPrompt, ofAll: rows.length * responsesPerPrompt },
    pairs: built.counts,
    rewards: { chosen: built.chosenReward, rejected: built.rejectedReward, all: mean },
    heldOutReward: input.heldOutReward,
    kl: input.kl,
    weightHistogram,
    curve: {
      scores: CURVE_SCORES,
      before: weightCurve(learner, input.stateBefore),
      after: weightCurve(learner, input.stateAfter),
    },
    samples: rowSamples(input),
    seconds,
  };
}
