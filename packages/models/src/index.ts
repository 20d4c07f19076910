export * from './checkpoint/index.js';
export * from './language-model/index.js';
export { encodeForReward } from './reward/encode-for-reward.js';
export { refuseLanguageModel, scoreSequences } from './reward/score-sequences.js';
export {
  plugin as default,
  type SequenceClassificationOptions,
  sequenceClassification,
} from './reward/sequence-classification.js';
export { type LoadedTokenizer, loadTokenizer } from './tokenizer/index.js';
export * from './transformer/index.js';
