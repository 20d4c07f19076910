import type { MetaBuffer, MetaLearner, MetaLearnerState, ObjectiveState } from '../contracts/index.js';
import type { TrainingMetrics } from '../trainer/index.js';
import { appendRows, emptyBuffer } from './meta-buffer.js';
import { type PreferenceMemory, stateOf } from './preference-memory.js';
import type { PreferenceValues } from './preference-rows.js';

/** A meta-learner in training. */
export interface MetaWeighing {
  readonly learner: MetaLearner;
  /** Optimizer steps between two updates of the meta-learner, T_meta. */
  readonly updateEvery: number;
  /** Weight of offline pairs in the loss, in place of the meta-learner's w; 0 to 1. The meta-learner is still trained. */
  readonly lossWeight?: number | undefined;
  /** What w in the loss is computed of: the score (default), or the logit, which is the score without the loss's beta. */
  readonly weightFrom?: 'score' | 'logit' | undefined;
  /** Rows that wait when an iteration ends: carried on (default), or discarded, and with them the steps counted so far. */
  readonly leftover?: 'carry' | 'discard' | undefined;
  /** Arrays of its state to begin with, in the place of those of its seed. */
  readonly start?: MetaLearnerState | undefined;
}

/** Keeps the rows of a step for the meta-learner, and updates it when its turn has come. */
export function updateMeta(
  { learner, updateEvery, iteration }: MetaWeighing & { readonly iteration?: number | undefined },
  before: PreferenceMemory,
  pieces: readonly PreferenceValues[],
): { readonly state: ObjectiveState; readonly metrics: TrainingMetrics } {
  const metaBuffer = appendRows(before.metaBuffer, pieces);
  const metaSteps = (before.metaSteps + 1) % updateEvery;
  const memory = { ...before, metaSteps };
  if (metaSteps !== 0 || metaBuffer.logSigmoidScore.length === 0) {
    return { state: stateOf({ ...memory, metaBuffer }), metrics: {} };
  }
  const buffer: MetaBuffer = { ...metaBuffer, iteration };
  const update = learner.update(memory.metaLearner, buffer);
  return {
    state: stateOf({ ...memory, metaLearner: update.state, metaBuffer: emptyBuffer() }),
    metrics: { 'meta/loss': update.loss },
  };
}

/** The memory that an iteration begins with, where what is left over is discarded. */
export function withoutLeftover(memory: PreferenceMemory): PreferenceMemory {
  return { ...memory, metaBuffer: emptyBuffer(), metaSteps: 0 };
}

/** Most updates in iterations of so many optimizer steps: fewer where a whole interval has no row with an online pair. */
export function countMetaUpdates(
  { updateEvery, leftover }: Pick<MetaWeighing, 'updateEvery' | 'leftover'>,
  stepsOfIterations: readonly number[],
): number {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  if (leftover !== 'discard') return Math.floor(sum(stepsOfIterations) / updateEvery);
  return sum(stepsOfIterations.map((steps) => Math.floor(steps / updateEvery)));
}
