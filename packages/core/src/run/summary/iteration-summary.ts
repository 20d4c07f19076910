import type { MetaLearner, MetaLearnerState } from '../../contracts/index.js';
import { logSigmoid } from '../../numerics/index.js';
import type { PairCounts } from '../pairs/build-pairs.js';
import type { KlEstimate } from '../reference/kl-to-reference.js';
import { type RowSample, rowSamples, type SampleInput } from './row-samples.js';
import type { StageSeconds } from './stage-clock.js';
import type { StageTokens } from './stage-tokens.js';

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
  /** Counts of the weights w in ten equal bins of [0, 1]; none where the selection rule spared the scores. */
  readonly weightHistogram: readonly number[];
  /** Weight h(s) before and after the iteration at scores from -10 to 10. */
  readonly curve: {
    readonly scores: readonly number[];
    readonly before: readonly number[];
    readonly after: readonly number[];
  };
  /** A few rows of the slice as people read them: with an online pair, without one, and not selected. */
  readonly samples: readonly RowSample[];
  /** Seconds by stage, of all processes that worked on it; stages may overlap. */
  readonly seconds: StageSeconds;
  /** Tokens by stage. */
  readonly tokens: StageTokens;
}

/** Scores at which the meta-learner's curve is drawn. */
const CURVE_SCORES = Array.from({ length: 41 }, (_, index) => -10 + index / 2);

/** The weights h(s) of a meta-learner over a range of scores. */
export function weightCurve(learner: MetaLearner, state: MetaLearnerState): readonly number[] {
  const logSigmoidScore = Float32Array.from(CURVE_SCORES, logSigmoid);
  return [...learner.weights(state, { logSigmoidScore, ...neutralFeatures(CURVE_SCORES.length) })];
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
  readonly learner: MetaLearner;
  readonly stateBefore: MetaLearnerState;
  readonly stateAfter: MetaLearnerState;
  readonly seconds: StageSeconds;
  readonly tokens: StageTokens;
  readonly heldOutReward: number | undefined;
  readonly kl: KlEstimate | undefined;
}

/** The summary of an iteration. */
export function summarize(input: SummaryInput): IterationSummary {
  const { iteration, rows, selected, steps, built, callsPerPrompt, learner, seconds, tokens } = input;
  const annotated = [...input.given.rewards.values()];
  const readable = annotated.flatMap(({ rewards }) => [...rewards]).filter((value) => !Number.isNaN(value));
  const mean = readable.length === 0 ? undefined : readable.reduce((sum, value) => sum + value, 0) / readable.length;
  return {
    iteration,
    rows: rows.length,
    selected,
    steps,
    annotations: {
      done: annotated.reduce((sum, { scored }) => sum + scored, 0),
      ofAll: rows.length * callsPerPrompt,
    },
    pairs: built.counts,
    rewards: { chosen: built.chosenReward, rejected: built.rejectedReward, all: mean },
    heldOutReward: input.heldOutReward,
    kl: input.kl,
    weightHistogram: histogramOf(input.weights),
    curve: {
      scores: CURVE_SCORES,
      before: weightCurve(learner, input.stateBefore),
      after: weightCurve(learner, input.stateAfter),
    },
    samples: rowSamples(input),
    seconds,
    tokens,
  };
}

function histogramOf(weights: Float32Array | undefined): readonly number[] {
  if (weights === undefined) return [];
  const counts = new Array<number>(10).fill(0);
  for (const weight of weights) counts[Math.min(9, Math.floor(weight * 10))]! += 1;
  return counts;
}
