export * from './checkpoint/index.js';
export * from './language-model/index.js';
export * from './network/index.js';
export * from './tokenizer/index.js';
