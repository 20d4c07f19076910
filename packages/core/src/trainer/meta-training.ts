import type { MetaBuffer, MetaLearner, Metrics } from '../contracts/index.js';
import { appendRows, emptyBuffer } from './meta-buffer.js';
import type { ObjectiveValues } from './objective.js';
import type { TrainerState } from './trainer-state.js';

/** A meta-learner in training. */
export interface MetaTraining {
  readonly learner: MetaLearner;
  /** Optimizer steps between two updates of the meta-learner, T_meta. */
  readonly updateEvery: number;
  readonly iteration?: number | undefined;
  /** Weight of offline pairs in the loss, in place of the meta-learner's w; 0 to 1. The meta-learner is still trained. */
  readonly lossWeight?: number | undefined;
}

/** Keeps the rows for the meta-learner, and updates it when its turn has come. A left-over buffer is carried on. */
export function updateMeta(
  meta: MetaTraining | undefined,
  state: TrainerState,
  parts: readonly ObjectiveValues[],
): { readonly state: TrainerState; readonly metrics: Metrics } {
  if (meta === undefined) return { state, metrics: {} };
  const metaBuffer = appendRows(state.metaBuffer, parts);
  if (state.optimizerStep % meta.updateEvery !== 0 || metaBuffer.logSigmoidScore.length === 0) {
    return { state: { ...state, metaBuffer }, metrics: {} };
  }
  const buffer: MetaBuffer = { ...metaBuffer, iteration: meta.iteration };
  const update = meta.learner.update(state.metaLearner!, buffer);
  return {
    state: { ...state, metaLearner: update.state, metaBuffer: emptyBuffer() },
    metrics: { 'meta/loss': update.loss },
  };
}
