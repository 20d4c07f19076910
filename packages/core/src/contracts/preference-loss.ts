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

/** A preference loss over log-probabilities of pairs. Pure: no state, no input changed or kept. */
export interface PreferenceLoss {
  /** Kebab-case id inside the loss slot. */
  readonly id: string;
  /** The frozen, serialisable options it was made with. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether its log-probabilities are sums or means over response tokens. */
  readonly aggregation: 'sum' | 'mean';
  /** True when `referenceChosen` and `referenceRejected` are not read. */
  readonly isReferenceFree: boolean;
  /** True when the loss of one pair depends on the others, so that a batch may not be computed in parts. */
  readonly couplesPairs?: boolean;
  /**
   * Computes the losses of B pairs.
   * @throws MetaapoError with code `config` when a reference is needed and missing.
   */
  compute(logprobs: PairLogprobs): PairLosses;
}
