import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { margin, policyLogprobs, scaledRewards, smoothedLogisticLoss, withTokenNll } from './margins.js';
import { betaOption, labelSmoothingOption, nllWeightOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({
    default: 0.1,
    usual: [0.01, 0.5],
    description: 'Larger lets a pair rest sooner; there is no reference to hold to.',
    defaultFrom: 'paper',
  }),
  nllWeight: nllWeightOption({ default: 1, usual: [0, 2], defaultFrom: "paper; a token as in its authors' code" }),
  labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper' }),
});

/** Options of {@link cpo}. */
export type CpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link cpo}. */
export const cpoEntry = defineLoss({
  id: 'cpo',
  summary: 'Adds the likelihood of the chosen response to DPO without its reference.',
  gradient: 'As DPO with h = c - j, plus a constant push of the chosen response of nllWeight a token.',
  use: 'No reference fits into memory, and the chosen responses are worth imitating.',
  trl: 'CPOTrainer `sigmoid`; `nllWeight` is `cpo_alpha`',
  formula: '(1 - e) * softplus(-beta * (c - j)) + e * softplus(beta * (c - j)) - nllWeight * c / tokens_c',
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
  options: schema,
  evaluate: (logprobs, { beta, nllWeight, labelSmoothing }) => {
    const policy = policyLogprobs(logprobs);
    const score = margin(policy);
    const preference = smoothedLogisticLoss(tf.mul(score, beta), labelSmoothing);
    return {
      perPair: withTokenNll(preference, logprobs, nllWeight, 'cpo'),
      score,
      ...scaledRewards(policy, beta),
    };
  },
});

/**
 * Contrastive preference optimisation: DPO with a uniform reference plus the likelihood of the chosen response, which
 * takes the reference's place in holding the policy.
 *
 *     perPair = -(1 - e) log sigmoid(beta (c - j)) - e log sigmoid(-beta (c - j)) - nllWeight c / tokens_c
 *
 * c, j: summed log-probabilities of chosen and rejected under the policy; tokens_c: length of the chosen response, which
 * `compute` has to be given unless `nllWeight` is 0. `score` is c - j, without beta.
 * Differs from the paper, whose likelihood is a sum over tokens, and from TRL, which averages it over all tokens of the
 * batch: here each response's mean counts once, so that pairs stay independent; with one pair a batch it is TRL's.
 *
 * Xu et al. 2024, arXiv 2401.08417.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function cpo(options: CpoOptions = {}): CatalogueLoss {
  return cpoEntry.create(options);
}
