import type { PromptGroup } from '@metaapo/core/contracts';
import type { PartFlags } from '../test-runner.js';

/** What a source of models cannot be held to. */
export interface ModelFlags extends PartFlags {
  /** Groups in place of the kit's own, at least two; for models of a certain vocabulary. Responses of one token are too short. */
  readonly groups?: readonly PromptGroup[];
  /** Tokens a response; for models that generate few. Default 6. */
  readonly maxNewTokens?: number;
  /**
   * Relative difference that passes of the same model may show: between forward and evaluation, between groups together and
   * alone, and after saving and opening again. Default 1e-4, that of float32 products in another order.
   */
  readonly tolerance?: number;
  /** False where the update ignores `epsilon` or `learningRate`, so that its effect cannot be computed; default true. */
  readonly followsOptimizer?: boolean;
  /** False where gradients cannot be clipped; default true. */
  readonly clips?: boolean;
  /** False where entropies are not given; default true. */
  readonly givesEntropies?: boolean;
  /** False where log-probabilities of single tokens are not given, nor gradients for them taken; default true. */
  readonly givesTokenLogprobs?: boolean;
  /** False where the same seed may give other responses; default true. */
  readonly isSeeded?: boolean;
}
