import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import {
  logRatios,
  margin,
  policyLogprobs,
  referenceLogprobs,
  scaledRewards,
  smoothedLogisticLoss,
} from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';
import { sortAscending } from './stable-ops.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'convention' }),
  labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper' }),
});

/** Options of {@link aot}. */
export type AotOptions = z.input<typeof schema>;

/** Everything that is constant about {@link aot}. */
export const aotEntry = defineLoss({
  id: 'aot',
  summary: "Makes the policy's margins beat the reference's in distribution, over the sorted batch.",
  gradient: "As DPO, but by rank: the k-th smallest margin is compared with the reference's k-th smallest.",
  use: 'Large batches in which the whole distribution should shift, outliers included.',
  trl: 'DPOTrainer `aot` (paired)',
  letters: { '(k)': 'the k-th smallest of the batch, whichever pair it is of' },
  formula:
    '(1 - e) * softplus(-beta * d) + e * softplus(beta * d), d_k = (c - j)_(k) - (ref_c - ref_j)_(k), each sorted',
  publications: [
    {
      authors: 'Melnyk et al.',
      title: 'Distributional Preference Alignment of LLMs via Optimal Transport',
      year: 2024,
      arxiv: '2406.05882',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  couplesPairs: true,
  ranksPairs: true,
  options: schema,
  evaluate: (logprobs, { beta, labelSmoothing }) => {
    const ratios = logRatios(logprobs, 'aot');
    const policyMargin = margin(policyLogprobs(logprobs));
    const referenceMargin = margin(referenceLogprobs(logprobs, 'aot'));
    const difference = tf.sub(sortAscending(policyMargin), sortAscending(referenceMargin));
    return {
      perPair: smoothedLogisticLoss(tf.mul(difference, beta), labelSmoothing),
      score: margin(ratios),
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Alignment by optimal transport over margins: the distribution of the policy's margins over the batch should dominate
 * the reference's, quantile by quantile.
 *
 *     perPair_k = -(1 - e) log sigmoid(beta d_k) - e log sigmoid(-beta d_k)
 *     d_k = k-th smallest of log p(c) - log p(j)  -  k-th smallest of log r(c) - log r(j)
 *
 * e: `labelSmoothing`. Entry k of `perPair` belongs to rank k (ascending), not to row k: its mean and gradients are the
 * loss's, a weight for each row has no meaning. `score` is r_c - r_j of each row.
 *
 * Melnyk et al. 2024, arXiv 2406.05882.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function aot(options: AotOptions = {}): CatalogueLoss {
  return aotEntry.create(options);
}
