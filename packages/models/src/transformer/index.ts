export { attentionPartsFor } from './attention-tiles.js';
export * from './computation.js';
export * from './layers.js';
export * from './parameters.js';
export * from './programs.js';
export * from './rotary.js';
export { createScoreComputation, rewardModelPrograms } from './score-computation.js';
export * from './transformer-config.js';
