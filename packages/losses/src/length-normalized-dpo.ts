import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 5, usual: [1, 10], defaultFrom: 'paper' }),
  labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper' }),
});

/** Options of {@link lengthNormalizedDpo}. */
export type LengthNormalizedDpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link lengthNormalizedDpo}. */
export const lengthNormalizedDpoEntry = defineLoss({
  id: 'length-normalized-dpo',
  summary: 'Is DPO on mean log-ratios, so that long answers have no larger say.',
  gradient: 'As DPO with h a token: each token of a response gets 1 / length of the push.',
  use: 'Lengths of chosen and rejected differ much, or answers grow longer under DPO.',
  trl: 'DPOTrainer `sigmoid_norm`',
  formula: '(1 - e) * softplus(-beta * h) + e * softplus(beta * h), h over means',
  publications: [
    {
      authors: 'Lambert et al.',
      title: 'Tulu 3: Pushing Frontiers in Open Language Model Post-Training',
      year: 2024,
      arxiv: '2411.15124',
    },
  ],
  aggregation: 'mean',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta, labelSmoothing }) => {
    const ratios = logRatios(logprobs, 'length-normalized-dpo');
    const score = margin(ratios);
    return {
      perPair: smoothedLogisticLoss(tf.mul(score, beta), labelSmoothing),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Length-normalised DPO: DPO over mean instead of summed log-ratios, so that a long answer has no larger say than a
 * short one.
 *
 *     perPair = -(1 - e) log sigmoid(beta h) - e log sigmoid(-beta h),   h = r_c - r_j over means
 *
 * e: `labelSmoothing`. Log 2 at h = 0. `score` is h (of means).
 *
 * Lambert et al. 2024, arXiv 2411.15124.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function lengthNormalizedDpo(options: LengthNormalizedDpoOptions = {}): CatalogueLoss {
  return lengthNormalizedDpoEntry.create(options);
}
