import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { betaField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards } from './margins.js';
import { detached } from './stable-ops.js';

/** Options of {@link wpo}. */
export interface WpoOptions {
  /** Reward scale on mean log-ratios, > 0, usually 1 to 10; default 5. */
  readonly beta?: number;
}

/** Everything that is constant about {@link wpo}. */
export const wpoEntry = defineLoss<WpoOptions>({
  id: 'wpo',
  formula: 'w * softplus(-beta * h), w = exp(c + j) detached, h, c and j over means',
  publications: [
    {
      authors: 'Zhou et al.',
      title: 'WPO: Enhancing RLHF with Weighted Preference Optimization',
      year: 2024,
      arxiv: '2406.11827',
    },
  ],
  aggregation: 'mean',
  isReferenceFree: false,
  options: {
    beta: betaField({ default: 5, usual: [1, 10], defaultFrom: 'that of length-normalised DPO' }),
  },
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'wpo');
    const score = margin(ratios);
    const logWeight: Tensor1D = tf.add(logprobs.policyChosen, logprobs.policyRejected);
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
 *     perPair = w * -log sigmoid(beta h),   w = exp(c) * exp(j), detached, at most 1
 *
 * c, j: mean log-probability a token under the policy, so exp(c) is the geometric mean of the token probabilities;
 * h = r_c - r_j over means. `score` is h (of means).
 * Differs from the paper: the paper's DPO term uses sums while its weight uses means; a loss here sees one of the two,
 * so the DPO term is length-normalised as well, and beta is on that scale. The variant that aligns the weights of
 * sampled text needs token distributions and is left out.
 *
 * Zhou et al. 2024, arXiv 2406.11827.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function wpo(options: WpoOptions = {}): CatalogueLoss {
  return wpoEntry.create(options);
}
