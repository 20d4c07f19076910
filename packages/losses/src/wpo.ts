import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, meanLogprobs, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';
import { detached } from './stable-ops.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.01, usual: [0.005, 0.5], defaultFrom: "the authors' configurations" }),
});

/** Options of {@link wpo}. */
export type WpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link wpo}. */
export const wpoEntry = defineLoss({
  id: 'wpo',
  summary: 'Weighs the pairs of DPO by how likely the policy is to write them.',
  gradient: "DPO's times w <= 1: pairs far from what the policy writes hardly count.",
  use: 'Offline data of other models, where DPO should act as if it sampled from the policy.',
  trl: 'DPOTrainer `use_weighting`',
  formula: 'w * softplus(-beta * h), w = min(1, exp(c / tokens_c + j / tokens_j)), detached',
  publications: [
    {
      authors: 'Zhou et al.',
      title: 'WPO: Enhancing RLHF with Weighted Preference Optimization',
      year: 2024,
      arxiv: '2406.11827',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'wpo');
    const score = margin(ratios);
    const means = meanLogprobs(logprobs, 'wpo', 'its weights are means over tokens');
    const logWeight: Tensor1D = tf.add(means.chosen, means.rejected);
    const weight = detached(tf.exp<Tensor1D>(tf.minimum<Tensor1D>(logWeight, 0)));
    return {
      perPair: tf.mul(weight, logisticLoss(tf.mul(score, beta))),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Weighted preference optimisation: pairs count by how likely the current policy is to write them, so that offline data
 * imitates on-policy data.
 *
 *     perPair = w * -log sigmoid(beta h),   w = exp(c / tokens_c) * exp(j / tokens_j), detached, at most 1
 *
 * c, j: summed log-probabilities under the policy, so exp(c / tokens_c) is the geometric mean of the token probabilities;
 * h = r_c - r_j over sums. `compute` has to be given the numbers of tokens. `score` is h.
 * Differs from the paper: the variant that aligns the weights of sampled text needs the distribution of every token and
 * is left out (`use_weighting` of TRL is that variant).
 *
 * Zhou et al. 2024, arXiv 2406.11827.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function wpo(options: WpoOptions = {}): CatalogueLoss {
  return wpoEntry.create(options);
}
