export * from './checkpoint/index.js';
export * from './language-model/index.js';
export * from './network/index.js';
export {
  plugin as default,
  type SequenceClassificationOptions,
  scoreSequences,
  sequenceClassification,
} from './reward/sequence-classification.js';
export * from './tokenizer/index.js';
