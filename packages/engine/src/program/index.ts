export * from './checkpoint.js';
export * from './differentiate.js';
export * as kernels from './kernels.js';
export * as operations from './operations.js';
export * from './placement.js';
export * from './program.js';
export * from './shape.js';
