import type { Tensor1D } from '@tensorflow/tfjs';

/**
 * Response log-probabilities of B preference pairs, each `[B]` float32, borrowed.
 * Sums over response tokens where the loss declares `aggregation: 'sum'`, means where it declares `'mean'`.
 */
export interface PairLogprobs {
  readonly policyChosen: Tensor1D;
  readonly policyRejected: Tensor1D;
  /** Present unless the loss is reference-free. */
  readonly referenceChosen?: Tensor1D;
  readonly referenceRejected?: Tensor1D;
  /** Numbers of response tokens, `[B]` float32; the trainer gives them always, other callers may leave them out. */
  readonly chosenTokens?: Tensor1D;
  readonly rejectedTokens?: Tensor1D;
  /** How much better chosen responses were judged than rejected ones; where the loss declares `readsMargins`. */
  readonly margins?: Tensor1D;
}

/** {@link PairLogprobs} as plain arrays, each `[B]`. */
export interface PairArrays {
  readonly policyChosen: Float32Array;
  readonly policyRejected: Float32Array;
  readonly referenceChosen?: Float32Array | undefined;
  readonly referenceRejected?: Float32Array | undefined;
  readonly chosenTokens?: Float32Array | undefined;
  readonly rejectedTokens?: Float32Array | undefined;
  readonly margins?: Float32Array | undefined;
}

/** What a loss says of B pairs. Every tensor is `[B]` float32 and owned by the caller, who disposes it. */
export interface PairLosses {
  /** Unreduced loss, differentiable with respect to the policy's log-probabilities. */
  readonly perPair: Tensor1D;
  /** Preference score s: what selection and the meta-learner look at. */
  readonly score: Tensor1D;
  /** Implicit reward of the chosen response, detached. */
  readonly chosenRewards: Tensor1D;
  /** Implicit reward of the rejected response, detached. */
  readonly rejectedRewards: Tensor1D;
}

/** What a loss remembers from batch to batch: numbers by name, which the trainer keeps and saves. */
export type LossState = Readonly<Record<string, number>>;

/** A preference loss over log-probabilities of pairs. Pure: no hidden state, no input changed or kept. */
export interface PreferenceLoss {
  /** Kebab-case id inside the loss slot. */
  readonly id: string;
  /** The frozen, serialisable options it was made with. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * What it compares: log-probabilities of a policy (by default), or rewards of a reward model, which then stand in
   * `policyChosen` and `policyRejected`. A training of the other kind refuses it.
   */
  readonly reads?: 'logprobs' | 'rewards';
  /** Whether its log-probabilities are sums or means over response tokens. */
  readonly aggregation: 'sum' | 'mean';
  /**
   * Factor between the logit of its comparison and `score`: beta, where the score holds it; absent, they are the same, as
   * in the DPO family, whose score is without beta.
   */
  readonly scoreScale?: number;
  /** True when `referenceChosen` and `referenceRejected` are not read. */
  readonly isReferenceFree: boolean;
  /**
   * True when it reads how much better chosen responses were judged than rejected ones, `margins`: the scores of the data
   * set, and the rewards of online pairs. Rows without them are refused before training.
   */
  readonly readsMargins?: boolean;
  /** True when the loss of one pair depends on the others, so that a batch may not be computed in parts. */
  readonly couplesPairs?: boolean;
  /**
   * True when entry k of `perPair` belongs to the k-th smallest values of the batch and not to pair k. Its mean and its
   * gradients are those of the loss; a weight for each pair is meaningless, so no meta-learner can weigh it.
   */
  readonly ranksPairs?: boolean;
  /** Sentences for the user before training: options outside of what the method is known to work with. */
  readonly warnings?: readonly string[];
  /** State before the first batch, of a loss that has one. */
  readonly initialState?: LossState;
  /** State after a batch with these log-probabilities, of finite numbers; there exactly when `initialState` is. */
  nextState?(state: LossState, logprobs: PairArrays): LossState;
  /**
   * Computes the losses of B pairs.
   * @param state of a loss that has one; absent, as before the first batch
   * @throws MetaapoError with code `config` when a reference, or numbers of tokens, are needed and missing
   */
  compute(logprobs: PairLogprobs, state?: LossState): PairLosses;
}
