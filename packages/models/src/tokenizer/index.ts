export { type LoadedTokenizer, loadTokenizer } from './load-tokenizer.js';
export { copyTokenizerFiles, readJsonObject } from './tokenizer-files.js';
