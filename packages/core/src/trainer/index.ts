export {
  heldOutMetrics,
  TRAINING_METRICS,
  type TrainingMetricName,
  type TrainingMetrics,
} from './metrics.js';
export * from './reference-logprobs.js';
export * from './response-logprobs.js';
export * from './run-directory.js';
export * from './run-training.js';
export * from './trainer.js';
export {
  type AcceptedChanges,
  type CheckpointKey,
  changedInputs,
  loadTrainerCheckpoint,
  saveTrainerCheckpoint,
} from './trainer-checkpoint.js';
export * from './trainer-state.js';
export { policyPasses } from './training-passes.js';
