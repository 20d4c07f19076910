import type { PartFlags } from '../test-runner.js';

/** What a loss cannot be held to. `isReferenceFree` and `couplesPairs` are read from the loss itself. */
export interface LossFlags extends PartFlags {
  /** False where the loss has kinks: there the gradient may be any slope between those of the two sides; default true. */
  readonly isSmooth?: boolean;
  /** True where a term that depends on the policy is detached, so that differences of the value see more than the gradient. */
  readonly detachesTerms?: boolean;
  /** Largest margin, in nats, up to which loss and gradient are finite; default 1e4. */
  readonly largestMargin?: number;
  /** False where swapping chosen and rejected does not reverse the score up to a constant; default true. */
  readonly isAntisymmetric?: boolean;
  /** False where score or rewards are no function of log p - log r, as with a margin of the reference's own; default true. */
  readonly isShiftInvariant?: boolean;
  /** False where chosen responses may become less likely as long as rejected ones do more so, as with apo-down; default true. */
  readonly raisesChosen?: boolean;
}
