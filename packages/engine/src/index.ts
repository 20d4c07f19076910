export * from './backends/index.js';
export * from './executors/index.js';
export { peakMemory } from './peak-memory.js';
export * from './program/index.js';
