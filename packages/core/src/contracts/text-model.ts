import type { ModelDescription } from './model-source.js';
import type { TrainableModel, TrainableScorer } from './trainable-model.js';

/** A language model together with the tokenizer that it was made for; both borrowed. */
export interface TextModel extends ModelDescription {
  readonly model: TrainableModel;
  /** Directory that holds the model's files, where it has any. */
  readonly directory?: string | undefined;
}

/** A reward model together with the tokenizer that it was made for; both borrowed. */
export interface TextScorer extends ModelDescription {
  readonly model: TrainableScorer;
}
