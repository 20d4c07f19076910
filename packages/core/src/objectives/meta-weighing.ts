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
  /** Arrays of its state to begin with, in the place of those of its seed. */
  readonly start?: MetaLearnerState | undefined;
}

/** Keeps the rows for the meta-learner, and updates it when its turn has come. A left-over buffer is carried on. */
export function updateMeta(
  { learner, updateEvery, iteration }: MetaWeighing & { readonly iteration?: number | undefined },
  memory: PreferenceMemory,
  optimizerStep: number,
  pieces: readonly PreferenceValues[],
): { readonly state: ObjectiveState; readonly metrics: TrainingMetrics } {
  const metaBuffer = appendRows(memory.metaBuffer, pieces);
  if (optimizerStep % updateEvery !== 0 || metaBuffer.logSigmoidScore.length === 0) {
    return { state: stateOf({ ...memory, metaBuffer }), metrics: {} };
  }
  const buffer: MetaBuffer = { ...metaBuffer, iteration };
  const update = learner.update(memory.metaLearner, buffer);
  return {
    state: stateOf({ ...memory, metaLearner: update.state, metaBuffer: emptyBuffer() }),
    metrics: { 'meta/loss': update.loss },
  };
}
