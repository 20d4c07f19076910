export { attentionPiecesFor } from './attention-tiles.js';
export * from './computation.js';
export { DEFAULT_LOGITS_BYTES } from './head-passes.js';
export * from './layers.js';
export * from './parameters.js';
export * from './programs.js';
export * from './rotary.js';
export * from './score-computation.js';
export * from './transformer-config.js';
