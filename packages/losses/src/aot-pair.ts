import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';
import { sortAscending } from './stable-ops.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'convention' }),
  labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper' }),
});

/** Options of {@link aotPair}. */
export type AotPairOptions = z.input<typeof schema>;

/** Everything that is constant about {@link aotPair}. */
export const aotPairEntry = defineLoss({
  id: 'aot-pair',
  summary:
    'Makes chosen log-ratios beat rejected ones in distribution, over the sorted batch, whatever belongs together.',
  gradient: 'As DPO, but by rank: the k-th smallest chosen log-ratio is compared with the k-th smallest rejected one.',
  use: 'Chosen and rejected responses do not answer the same prompts.',
  trl: 'DPOTrainer `aot_unpaired`; `aot_pair` in older versions',
  letters: { '(k)': 'the k-th smallest of the batch, whichever pair it is of' },
  formula: '(1 - e) * softplus(-beta * d) + e * softplus(beta * d), d_k = (r_c)_(k) - (r_j)_(k), each sorted',
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
    const ratios = logRatios(logprobs, 'aot-pair');
    const difference = tf.sub(sortAscending(ratios.chosen), sortAscending(ratios.rejected));
    return {
      perPair: smoothedLogisticLoss(tf.mul(difference, beta), labelSmoothing),
      score: margin(ratios),
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Alignment by optimal transport over responses: the distribution of the chosen log-ratios over the batch should
 * dominate that of the rejected ones, quantile by quantile. Which chosen belongs to which rejected does not matter.
 *
 *     perPair_k = -(1 - e) log sigmoid(beta d_k) - e log sigmoid(-beta d_k)
 *     d_k = k-th smallest r_c - k-th smallest r_j
 *
 * e: `labelSmoothing`. Entry k of `perPair` belongs to rank k (ascending), not to row k: its mean and gradients are the
 * loss's, a weight for each row has no meaning. `score` is r_c - r_j of each row.
 *
 * Melnyk et al. 2024, arXiv 2406.05882.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function aotPair(options: AotPairOptions = {}): CatalogueLoss {
  return aotPairEntry.create(options);
}
