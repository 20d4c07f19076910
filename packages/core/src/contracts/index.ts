export * from './errors.js';
export * from './preference-loss.js';
export * from './preference-row.js';
export * from './tokenizer.js';
export * from './trainable-model.js';
