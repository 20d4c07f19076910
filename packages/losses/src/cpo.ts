import * as tf from '@tensorflow/tfjs';
import { betaField, labelSmoothingField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { margin, policyLogprobs, scaledRewards, smoothedLogisticLoss, withNegativeLogLikelihood } from './margins.js';
import { nllWeightField } from './nll-weight-field.js';

/** Options of {@link cpo}. */
export interface CpoOptions {
  /** Reward scale, > 0, usually 0.01 to 0.5; default 0.1. */
  readonly beta?: number;
  /** Weight of the negative log-likelihood of the chosen response, >= 0; default 1. 0 leaves the preference term alone. */
  readonly nllWeight?: number;
  /** Probability that a label is wrong, 0 to below 0.5; default 0. */
  readonly labelSmoothing?: number;
}

/** Everything that is constant about {@link cpo}. */
export const cpoEntry = defineLoss<CpoOptions>({
  id: 'cpo',
  formula: '(1 - e) * softplus(-beta * (c - j)) + e * softplus(beta * (c - j)) - nllWeight * c',
  publications: [
    {
      authors: 'Xu et al.',
      title: 'Contrastive Preference Optimization: Pushing the Boundaries of LLM Performance in Machine Translation',
      year: 2024,
      arxiv: '2401.08417',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: true,
  options: {
    beta: betaField({
      default: 0.1,
      usual: [0.01, 0.5],
      effect: 'Larger lets a pair rest sooner; there is no reference to hold to.',
      defaultFrom: 'paper',
    }),
    nllWeight: nllWeightField({ default: 1, usual: [0, 2], defaultFrom: 'paper' }),
    labelSmoothing: labelSmoothingField({ default: 0, defaultFrom: 'paper' }),
  },
  evaluate: (logprobs, { beta, nllWeight, labelSmoothing }) => {
    const policy = policyLogprobs(logprobs);
    const score = margin(policy);
    const preference = smoothedLogisticLoss(tf.mul(score, beta), labelSmoothing);
    return {
      perPair: withNegativeLogLikelihood(preference, logprobs.policyChosen, nllWeight),
      score,
      ...scaledRewards(policy, beta),
    };
  },
});

/**
 * Contrastive preference optimisation: DPO with a uniform reference plus the likelihood of the chosen response, which
 * takes the reference's place in holding the policy.
 *
 *     perPair = -(1 - e) log sigmoid(beta (c - j)) - e log sigmoid(-beta (c - j)) - nllWeight c
 *
 * c, j: summed log-probabilities of chosen and rejected under the policy. `score` is c - j, without beta.
 * Differs from common implementations, in which the likelihood term is averaged over the tokens of the batch: here it is
 * the paper's log p(chosen | prompt), a sum over tokens. For a likelihood a token divide `nllWeight` by a typical length.
 *
 * Xu et al. 2024, arXiv 2401.08417.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function cpo(options: CpoOptions = {}): CatalogueLoss {
  return cpoEntry.create(options);
}
