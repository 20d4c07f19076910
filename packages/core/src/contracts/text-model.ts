import type { Tokenizer } from './tokenizer.js';
import type { TrainableModel } from './trainable-model.js';

/** A language model together with the tokenizer that it was made for; both borrowed. */
export interface TextModel {
  readonly model: TrainableModel;
  /** Absent for a model that is fed token ids alone. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Ids that end a response. */
  readonly eosTokenIds: readonly number[];
  /** Directory that holds the model's files, where it has any. */
  readonly directory?: string | undefined;
}
