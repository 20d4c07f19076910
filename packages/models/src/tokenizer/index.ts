export { type LoadedTokenizer, loadTokenizer, type TokenizerOptions } from './load-tokenizer.js';
export { copyTokenizerFiles, readJsonObject } from './tokenizer-files.js';
