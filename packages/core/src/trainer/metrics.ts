import type { Metrics, PairArrays } from '../contracts/index.js';
import type { PairValues } from './pair-losses.js';

/** Names of all metrics of a training step, with what they mean. TRL's names where TRL has one. */
export const TRAINING_METRICS = {
  loss: 'mean loss of the batch: over its pairs, or in fine-tuning over its response tokens',
  grad_norm: 'Euclidean norm of all gradients, before clipping',
  learning_rate: 'learning rate of the step',
  epoch: 'epochs done after the step',
  num_tokens: 'tokens seen since the start, prompts counted once a response',
  'rewards/chosen': 'mean implicit reward of chosen responses',
  'rewards/rejected': 'mean implicit reward of rejected responses',
  'rewards/accuracies': 'share of pairs whose chosen reward is strictly the larger',
  'rewards/margins': 'mean of chosen minus rejected reward',
  'logps/chosen': "mean log-probability of chosen responses, sums or means over tokens as the loss's aggregation says",
  'logps/rejected': 'the same of rejected responses',
  'logps/chosen_change':
    'mean of log p - log reference of chosen responses, in nats a token; without a reference, against the mean of the first 10 steps',
  'time/step_s': 'seconds of the step',
  'meta/weight_mean': "mean of the meta-learner's weights w over rows with an online pair",
  'meta/loss': 'loss of the meta-learner, on the step after which it was updated',
  'loss/offline': 'mean loss of offline pairs, unweighted',
  'loss/online': 'mean loss of online pairs, unweighted',
  perplexity: 'exponential of the loss in fine-tuning; of held-out rows only',
} as const;

/** Mean of numbers; NaN of none. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/** Metrics of offline pairs: what TRL logs of a DPO batch. */
export function pairMetrics(values: PairValues, arrays: PairArrays): Metrics {
  const { chosenRewards, rejectedRewards } = values;
  const wins = chosenRewards.map((chosen, index) => (chosen > rejectedRewards[index]! ? 1 : 0));
  return {
    'rewards/chosen': meanOf(chosenRewards),
    'rewards/rejected': meanOf(rejectedRewards),
    'rewards/accuracies': meanOf(wins),
    'rewards/margins': meanOf(chosenRewards) - meanOf(rejectedRewards),
    'logps/chosen': meanOf(arrays.policyChosen),
    'logps/rejected': meanOf(arrays.policyRejected),
  };
}

/** Joins the values of parts of a batch. */
export function joinPairs<Arrays extends { readonly [K in keyof Arrays]: Float32Array | undefined }>(
  parts: readonly Arrays[],
): Arrays {
  const joined: Record<string, Float32Array> = {};
  for (const name of Object.keys(parts[0] ?? {}) as (keyof Arrays & string)[]) {
    if (parts[0]![name] === undefined) continue;
    joined[name] = Float32Array.from(parts.flatMap((part) => [...part[name]!]));
  }
  return joined as unknown as Arrays;
}
