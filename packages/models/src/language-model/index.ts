export * from './estimate-memory.js';
export { type LanguageModel, type LanguageModelOptions, loadLanguageModel } from './load-language-model.js';
export { type LoadedTextModel, loadTextModel, type TextModelOptions } from './load-text-model.js';
