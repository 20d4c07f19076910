export * from './evaluate-preferences.js';
export * from './fine-tuning-objective.js';
export { checkLossReads, type ModelOutput } from './loss-requirements.js';
export { type BufferedRows, emptyBuffer } from './meta-buffer.js';
export type { MetaTraining } from './meta-training.js';
export { TRAINING_METRICS } from './metrics.js';
export { type PairEntropies, pairEntropies, pairScores } from './objective.js';
export { type PairValues, pairGradients, pairValues } from './pair-losses.js';
export { type PreferenceObjectiveOptions, preferenceObjective } from './preference-objective.js';
export * from './preference-trainer.js';
export * from './reference-logprobs.js';
export {
  evaluateRows,
  groupOf,
  groupOfTurn,
  type ReadingOptions,
  type Readings,
  type RowLogprobs,
  type RowProgress,
  readRows,
  tokensOf,
} from './response-logprobs.js';
export * from './run-directory.js';
export * from './run-fine-tuning.js';
export * from './run-objective.js';
export * from './run-training.js';
export * from './trainer.js';
export { type CheckpointKey, loadTrainerCheckpoint, saveTrainerCheckpoint } from './trainer-checkpoint.js';
export * from './trainer-state.js';
