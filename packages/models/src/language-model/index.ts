export * from './estimate-memory.js';
export { type LanguageModel, type LanguageModelOptions, loadLanguageModel } from './load-language-model.js';
export {
  type LoadedTextModel,
  loadTextModel,
  type TextDescription,
  type TextModelOptions,
} from './load-text-model.js';
export type { OpenModel } from './open-model.js';
export type { OpeningOptions } from './opening-options.js';
