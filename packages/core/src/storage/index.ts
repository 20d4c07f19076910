export * from './arrays-file.js';
export * from './float-formats.js';
export * from './journal.js';
export * from './lock-directory.js';
export * from './metrics-file.js';
export * from './replace-directory.js';
export * from './safetensors.js';
export * from './write-atomically.js';
