import type { PreferenceLoss } from '@metaapo/core/contracts';
import { inOrder } from '../same-values.js';

/** Log-probabilities of B pairs as plain arrays, each `[B]`. */
export interface PairArrays {
  readonly policyChosen: Float32Array;
  readonly policyRejected: Float32Array;
  readonly referenceChosen: Float32Array;
  readonly referenceRejected: Float32Array;
  /** Numbers of response tokens. */
  readonly chosenTokens: Float32Array;
  readonly rejectedTokens: Float32Array;
  /** How much better chosen responses were judged. */
  readonly margins: Float32Array;
}

/** Numbers of tokens are powers of two, so that means of sums are exact in float32. */
const GIVEN = {
  margins: Float32Array.of(1, 0.25, 2, 0.5, 1.5),
  chosenTokens: Float32Array.of(8, 16, 4, 8, 16),
  rejectedTokens: Float32Array.of(16, 8, 8, 4, 16),
};

/** Everything is a multiple of 1/64, so that differences of inputs are exact in float32. */
const SUMS: PairArrays = {
  policyChosen: Float32Array.of(-12.5, -30.25, -8, -21.75, -16.5),
  policyRejected: Float32Array.of(-15, -22.5, -19.25, -20.5, -33),
  referenceChosen: Float32Array.of(-13.25, -28, -10.5, -21, -18.75),
  referenceRejected: Float32Array.of(-14, -24.75, -17, -20.25, -31.5),
  ...GIVEN,
};

const MEANS: PairArrays = {
  policyChosen: Float32Array.of(-1.25, -3.5, -0.5, -2, -1.75),
  policyRejected: Float32Array.of(-1.5, -2.25, -1.625, -1.875, -3),
  referenceChosen: Float32Array.of(-1.375, -3.25, -0.75, -1.9375, -2),
  referenceRejected: Float32Array.of(-1.4375, -2.5, -1.25, -1.8125, -2.875),
  ...GIVEN,
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
    chosenTokens: Float32Array.from(margins, () => 16),
    rejectedTokens: Float32Array.from(margins, () => 16),
    margins: Float32Array.from(margins, () => 1),
  };
}

/** Log-probabilities of responses that are all but certain: where forms such as log(1 - exp(log p)) break. */
const NEAR_CERTAIN: readonly (readonly [chosen: number, rejected: number])[] = [
  [0, 0],
  [0, -10],
  [-10, 0],
  [-1e-8, -1e-8],
  [-1e-8, -10],
  [-10, -1e-8],
];

/**
 * Pairs with margins of both signs up to `largest`, first by the policy, then by the reference; then pairs with
 * log-probabilities at and just below 0.
 */
export function extremePairs(largest: number): PairArrays {
  const sizes = [0, 1e-3, 1, 30, 88, 100, 1e3, 1e4].filter((size) => size < largest);
  const margins = [...sizes, largest].flatMap((size) => [size, -size]);
  const base = margins.map(() => -10);
  const chosen = margins.map((margin) => -10 - Math.max(0, -margin));
  const rejected = margins.map((margin) => -10 - Math.max(0, margin));
  const certain = { chosen: NEAR_CERTAIN.map(([one]) => one), rejected: NEAR_CERTAIN.map(([, other]) => other) };
  const tokens = Float32Array.from([...margins, ...margins, ...NEAR_CERTAIN], () => 16);
  return {
    policyChosen: Float32Array.from([...chosen, ...base, ...certain.chosen]),
    policyRejected: Float32Array.from([...rejected, ...base, ...certain.rejected]),
    referenceChosen: Float32Array.from([...base, ...rejected, ...certain.chosen]),
    referenceRejected: Float32Array.from([...base, ...chosen, ...certain.chosen]),
    chosenTokens: tokens,
    rejectedTokens: tokens,
    margins: tokens.map(() => 1),
  };
}

/** The same pairs with chosen and rejected in each other's place. */
export function swapped(pairs: PairArrays): PairArrays {
  return {
    policyChosen: pairs.policyRejected,
    policyRejected: pairs.policyChosen,
    referenceChosen: pairs.referenceRejected,
    referenceRejected: pairs.referenceChosen,
    chosenTokens: pairs.rejectedTokens,
    rejectedTokens: pairs.chosenTokens,
    margins: pairs.margins.map((margin) => -margin),
  };
}

/** The pairs of these numbers, in this order. */
export function pairsInOrder(pairs: PairArrays, order: readonly number[]): PairArrays {
  const entries = Object.entries(pairs).map(([name, values]: [string, Float32Array]) => [name, inOrder(values, order)]);
  return Object.fromEntries(entries) as PairArrays;
}

/** The pairs with a number added to some of their log-probabilities. */
export function moved(pairs: PairArrays, names: readonly (keyof PairArrays)[], by: number): PairArrays {
  return { ...pairs, ...Object.fromEntries(names.map((name) => [name, pairs[name].map((value) => value + by)])) };
}
