import type { PreferenceLoss } from '@metaapo/core/contracts';
import { inOrder } from '../same-values.js';

/** Log-probabilities of B pairs as plain arrays, each `[B]`. */
export interface PairArrays {
  readonly policyChosen: Float32Array;
  readonly policyRejected: Float32Array;
  readonly referenceChosen: Float32Array;
  readonly referenceRejected: Float32Array;
}

/** Everything is a multiple of 1/64, so that differences of inputs are exact in float32. */
const SUMS: PairArrays = {
  policyChosen: Float32Array.of(-12.5, -30.25, -8, -21.75, -16.5),
  policyRejected: Float32Array.of(-15, -22.5, -19.25, -20.5, -33),
  referenceChosen: Float32Array.of(-13.25, -28, -10.5, -21, -18.75),
  referenceRejected: Float32Array.of(-14, -24.75, -17, -20.25, -31.5),
};

const MEANS: PairArrays = {
  policyChosen: Float32Array.of(-1.25, -3.5, -0.5, -2, -1.75),
  policyRejected: Float32Array.of(-1.5, -2.25, -1.625, -1.875, -3),
  referenceChosen: Float32Array.of(-1.375, -3.25, -0.75, -1.9375, -2),
  referenceRejected: Float32Array.of(-1.4375, -2.5, -1.25, -1.8125, -2.875),
};

/** Five pairs in the loss's aggregation: margins of both signs, no two alike. */
export function fivePairs({ aggregation }: PreferenceLoss): PairArrays {
  return aggregation === 'sum' ? SUMS : MEANS;
}

/** Pairs whose margins sweep -20 to 20 nats (sums) or -4 to 4 (means), each at another level. */
export function sweptPairs({ aggregation }: PreferenceLoss): PairArrays {
  const [level, step] = aggregation === 'sum' ? [-40, 0.5] : [-6, 0.125];
  const levels = [-2, 1, 3, -1, 0].map((shift) => level + shift * 4 * step);
  const margins = Array.from({ length: 65 }, (_, at) => (at - 32) * step);
  const at = (index: number): number => levels[index % levels.length]!;
  return {
    policyChosen: Float32Array.from(margins, (margin, index) => at(index) + margin / 2),
    policyRejected: Float32Array.from(margins, (margin, index) => at(index) - margin / 2),
    referenceChosen: Float32Array.from(margins, () => level),
    referenceRejected: Float32Array.from(margins, () => level),
  };
}

/** Pairs with margins of both signs up to `largest`: first by the policy, then by the reference. */
export function extremePairs(largest: number): PairArrays {
  const sizes = [0, 1e-3, 1, 30, 88, 100, 1e3, 1e4].filter((size) => size < largest);
  const margins = [...sizes, largest].flatMap((size) => [size, -size]);
  const base = margins.map(() => -10);
  const chosen = margins.map((margin) => -10 - Math.max(0, -margin));
  const rejected = margins.map((margin) => -10 - Math.max(0, margin));
  return {
    policyChosen: Float32Array.from([...chosen, ...base]),
    policyRejected: Float32Array.from([...rejected, ...base]),
    referenceChosen: Float32Array.from([...base, ...rejected]),
    referenceRejected: Float32Array.from([...base, ...chosen]),
  };
}

/** The same pairs with chosen and rejected in each other's place. */
export function swapped(pairs: PairArrays): PairArrays {
  return {
    policyChosen: pairs.policyRejected,
    policyRejected: pairs.policyChosen,
    referenceChosen: pairs.referenceRejected,
    referenceRejected: pairs.referenceChosen,
  };
}

/** The pairs of these numbers, in this order. */
export function pairsInOrder(pairs: PairArrays, order: readonly number[]): PairArrays {
  return {
    policyChosen: inOrder(pairs.policyChosen, order),
    policyRejected: inOrder(pairs.policyRejected, order),
    referenceChosen: inOrder(pairs.referenceChosen, order),
    referenceRejected: inOrder(pairs.referenceRejected, order),
  };
}
