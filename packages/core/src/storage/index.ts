export * from './float-formats.js';
export * from './replace-directory.js';
export * from './safetensors.js';
export * from './write-atomically.js';
