export * from './batch-plan.js';
export * from './concatenated.js';
export * from './log-sigmoid.js';
export * from './pack-by-tokens.js';
export * from './random.js';
export * from './schedule.js';
export * from './share-of.js';
