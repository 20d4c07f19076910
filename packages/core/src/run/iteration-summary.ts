import type { MetaLearner, MetaLearnerState, TokenizedPreference } from '../contracts/index.js';
import { logSigmoid } from '../numerics/index.js';
import type { BuiltPairs, OnlinePairText } from './build-pairs.js';
import type { KlEstimate } from './kl-to-reference.js';
import type { PairCounts } from './pair-counts.js';
import type { RowRewards } from './row-rewards.js';
import type { RunPrompt } from './run-prompt.js';
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
  /** A few rows of the slice as people read them, spread evenly over it. */
  readonly samples: readonly RowSample[];
  /** Seconds by stage, of all processes that worked on it; stages may overlap. */
  readonly seconds: StageSeconds;
  /** Tokens by stage. */
  readonly tokens: StageTokens;
}

/** A row with its offline and its online pair. */
export interface RowSample {
  readonly row: number;
  readonly prompt: string;
  readonly offline?: RunPrompt['offline'];
  readonly online: OnlinePairText;
  /** Weight w of the offline pair when the row was selected, where it was scored. */
  readonly weight?: number | undefined;
}

const SAMPLES = 20;

/** Scores at which the meta-learner's curve is drawn. */
const CURVE_SCORES = Array.from({ length: 41 }, (_, index) => -10 + index / 2);

/** The weights h(s) of a meta-learner over a range of scores. */
export function weightCurve(learner: MetaLearner, state: MetaLearnerState): readonly number[] {
  const logSigmoidScore = Float32Array.from(CURVE_SCORES, logSigmoid);
  return [...learner.weights(state, { logSigmoidScore, ...neutralFeatures(CURVE_SCORES.length) })];
}

/** Lengths of equal responses in the first iteration: what a curve over scores alone holds constant. */
function neutralFeatures(count: number) {
  const tokens = new Int32Array(count).fill(100);
  return { chosenTokens: tokens, rejectedTokens: tokens, iteration: 0 };
}

/** What {@link summarize} is made of. */
export interface SummaryInput {
  readonly iteration: number;
  readonly rows: readonly TokenizedPreference[];
  readonly selected: number;
  readonly steps: number;
  /** `[rows]`; absent where the rows were not scored. */
  readonly weights: Float32Array | undefined;
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly built: BuiltPairs;
  /** Of the selected rows. */
  readonly rewards: readonly RowRewards[];
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
  const readable = input.rewards.flatMap(({ rewards }) => [...rewards]).filter((value) => !Number.isNaN(value));
  const mean = readable.length === 0 ? undefined : readable.reduce((sum, value) => sum + value, 0) / readable.length;
  return {
    iteration,
    rows: rows.length,
    selected,
    steps,
    annotations: {
      done: input.rewards.reduce((sum, { scored }) => sum + scored, 0),
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
    samples: samplesOf(input),
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

function samplesOf({ rows, weights, built, promptOf }: SummaryInput): readonly RowSample[] {
  const paired = rows.flatMap((row, index) => {
    const online = built.texts.get(row.row);
    return online === undefined ? [] : [{ row, online, weight: weights?.[index] }];
  });
  const every = Math.max(1, Math.floor(paired.length / SAMPLES));
  return paired
    .filter((_, index) => index % every === 0)
    .slice(0, SAMPLES)
    .map(({ row, online, weight }) => {
      const { text, offline } = promptOf(row);
      return { row: row.row, prompt: text, offline, online, weight };
    });
}
