export type { Architecture } from './architectures/architecture.js';
export { HARMLESS_FIELDS } from './architectures/harmless-fields.js';
export { ARCHITECTURES } from './architectures/index.js';
export * from './checkpoint/index.js';
export { checkRequests } from './generation/generate.js';
export * from './language-model/index.js';
export { type FoundModel, findModel, type ModelFilesOptions, modelDirectory } from './local-model/find-model.js';
export { type LocalModelContext, localModel } from './local-model/local-model.js';
export type { LocalModelOptions } from './local-model/local-model-options.js';
export { encodeForReward, type ScoredText } from './reward/encode-for-reward.js';
export {
  type LoadedTextScorer,
  loadScorer,
  loadTextScorer,
  type Scorer,
  type ScorerOptions,
} from './reward/load-scorer.js';
export { scoreSequences } from './reward/score-sequences.js';
export {
  plugin as default,
  type SequenceClassificationContext,
  type SequenceClassificationOptions,
  sequenceClassification,
} from './reward/sequence-classification.js';
export { type LoadedTokenizer, loadTokenizer, type TokenizerOptions } from './tokenizer/index.js';
export * from './transformer/index.js';
