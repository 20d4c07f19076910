export * from './compose/index.js';
export * from './contracts/index.js';
export * from './journal/index.js';
export * from './numerics/index.js';
export * from './recipe/index.js';
export * from './run/index.js';
export * from './storage/index.js';
export * from './trainer/index.js';
