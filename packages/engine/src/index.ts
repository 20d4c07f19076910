export * from './backends/index.js';
export * from './executors/index.js';
export * from './program/index.js';
