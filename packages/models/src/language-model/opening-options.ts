import type { CheckpointPolicy, Executor, Profile } from '@metaapo/engine';
import type { ModelName } from '../checkpoint/adapter.js';
import type { AdamWConstants, Precision } from '../transformer/index.js';

/** How any model of a directory is opened, whatever its head gives. */
export interface OpeningOptions {
  /** Element type of matrix products; default `float32`. `bfloat16` needs a backend that has it. */
  readonly precision?: Precision | undefined;
  /** What a block keeps for its backward; default `matmul-outputs`. */
  readonly checkpoint?: CheckpointPolicy | undefined;
  /** Present when the model will be trained. */
  readonly optimizer?: AdamWConstants | undefined;
  /** A PEFT adapter directory to go on from. */
  readonly adapter?: string | undefined;
  /** Directory whose tokenizer goes with what is saved; default the model's. */
  readonly tokenizerFiles?: string | undefined;
  /** What a saved adapter calls the model; default the whole path of its directory. */
  readonly name?: ModelName | undefined;
  /**
   * Tokens of the longest prompt with one response that will come; default 4096. It decides how finely attention is cut,
   * hence memory, never what can be computed.
   */
  readonly longestRow?: number | undefined;
  /** Weights of the directory (default), or plain numbers in their place: for measurements, without reading any. */
  readonly weights?: 'stored' | 'stand-in' | undefined;
  /** Default: `compiled` where the current TensorFlow.js backend can, else `eager`. */
  readonly executor?: Executor | 'auto' | undefined;
  /** Told what each primitive costs; makes the executor `eager`. */
  readonly profile?: Profile | undefined;
}
