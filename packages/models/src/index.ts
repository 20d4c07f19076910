export * from './checkpoint/index.js';
export * from './language-model/index.js';
export * from './network/index.js';
export {
  encodeForReward,
  plugin as default,
  refuseLanguageModel,
  type SequenceClassificationOptions,
  scoreSequences,
  sequenceClassification,
} from './reward/sequence-classification.js';
export { type LoadedTokenizer, loadTokenizer } from './tokenizer/index.js';
