import * as tf from '@tensorflow/tfjs';
import { betaField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards, withNegativeLogLikelihood } from './margins.js';
import { nllWeightField } from './nll-weight-field.js';

/** Options of {@link rpo}. */
export interface RpoOptions {
  /** Reward scale, > 0, usually 0.01 to 0.5; default 0.1. Larger holds the policy closer to the reference. */
  readonly beta?: number;
  /** Weight of -log p(chosen), a sum over tokens, >= 0; default 0.005. eta * beta in the paper. */
  readonly nllWeight?: number;
}

/** Everything that is constant about {@link rpo}. */
export const rpoEntry = defineLoss<RpoOptions>({
  id: 'rpo',
  formula: 'softplus(-beta * h) - nllWeight * c',
  publications: [
    {
      authors: 'Liu et al.',
      title: 'Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly an Adversarial Regularizer',
      year: 2024,
      arxiv: '2405.16436',
    },
    { authors: 'Pang et al.', title: 'Iterative Reasoning Preference Optimization', year: 2024, arxiv: '2404.19733' },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: {
    beta: betaField({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'convention' }),
    nllWeight: nllWeightField({
      default: 0.005,
      usual: [0, 0.1],
      defaultFrom: 'convention, about 1 / response length',
    }),
  },
  evaluate: (logprobs, { beta, nllWeight }) => {
    const ratios = logRatios(logprobs, 'rpo');
    const score = margin(ratios);
    return {
      perPair: withNegativeLogLikelihood(logisticLoss(tf.mul(score, beta)), logprobs.policyChosen, nllWeight),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Regularised preference optimisation: DPO plus the likelihood of the chosen response, which keeps that likelihood from
 * falling while the margin grows.
 *
 *     perPair = -log sigmoid(beta h) - nllWeight c,   h = r_c - r_j
 *
 * c: summed log-probability of the chosen response under the policy. `score` is h.
 * Differs from Pang et al. (weight alpha = 1 on the likelihood divided by the response length) in the length: a loss
 * over sums does not see it, so an `nllWeight` of alpha / (typical length) comes closest. Liu et al. use the sum.
 *
 * Liu et al. 2024, arXiv 2405.16436; Pang et al. 2024, arXiv 2404.19733.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function rpo(options: RpoOptions = {}): CatalogueLoss {
  return rpoEntry.create(options);
}
