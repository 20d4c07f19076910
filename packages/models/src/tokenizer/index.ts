export { type LoadedTokenizer, loadTokenizer } from './load-tokenizer.js';
export { copyTokenizerFiles } from './tokenizer-files.js';
