import type { PairArrays } from '../contracts/index.js';
import type { TrainingMetrics } from '../trainer/index.js';
import type { PairValues } from './pair-losses.js';

/** Mean of numbers; NaN of none. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/** Metrics of offline pairs: what TRL logs of a DPO batch. */
export function pairMetrics(values: PairValues, arrays: PairArrays) {
  const { chosenRewards, rejectedRewards } = values;
  const wins = chosenRewards.map((chosen, index) => (chosen > rejectedRewards[index]! ? 1 : 0));
  return {
    'rewards/chosen': meanOf(chosenRewards),
    'rewards/rejected': meanOf(rejectedRewards),
    'rewards/accuracies': meanOf(wins),
    'rewards/margins': meanOf(chosenRewards) - meanOf(rejectedRewards),
    'logps/chosen': meanOf(arrays.policyChosen),
    'logps/rejected': meanOf(arrays.policyRejected),
  } satisfies TrainingMetrics;
}

/** Joins the values of pieces of a batch. */
export function joinPairs<Arrays extends { readonly [K in keyof Arrays]: Float32Array | undefined }>(
  pieces: readonly Arrays[],
): Arrays {
  const joined: Record<string, Float32Array> = {};
  for (const name of Object.keys(pieces[0] ?? {}) as (keyof Arrays & string)[]) {
    if (pieces[0]![name] === undefined) continue;
    joined[name] = Float32Array.from(pieces.flatMap((piece) => [...piece[name]!]));
  }
  return joined as unknown as Arrays;
}
