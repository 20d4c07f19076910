import type { ModelDescription } from './model-source.js';
import type { TrainableModel, TrainableScorer } from './trainable-model.js';

/** A language model together with the tokenizer that it was made for; both borrowed. */
export interface TextModel extends ModelDescription {
  readonly model: TrainableModel;
  /** Directory that holds the model's files, where it has any. */
  readonly directory?: string | undefined;
}

/**
 * Where a conversation ends that a reward model scores at its last token: with all that the chat template puts there, or
 * at the end-of-sequence token, with no line break behind it.
 */
export type ScoreAt = 'template-end' | 'end-of-turn';

/** A reward model together with the tokenizer that it was made for; both borrowed. */
export interface TextScorer extends ModelDescription {
  readonly model: TrainableScorer;
}
