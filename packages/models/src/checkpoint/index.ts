export { ALL_LINEAR, adapterBase, type LoraConfig, type ModelName } from './adapter.js';
export { type LanguageModelConfig, readModelConfig } from './model-config.js';
export { type Checkpoint, openCheckpoint } from './open-checkpoint.js';
export { writeRandomModel } from './write-random-model.js';
