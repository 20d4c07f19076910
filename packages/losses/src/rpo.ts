import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards, withTokenNll } from './margins.js';
import { betaOption, nllWeightOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'convention' }),
  nllWeight: nllWeightOption({ default: 1, usual: [0, 2], defaultFrom: 'Pang et al. (alpha)' }),
});

/** Options of {@link rpo}. */
export type RpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link rpo}. */
export const rpoEntry = defineLoss({
  id: 'rpo',
  summary: 'Adds the likelihood of the chosen response to DPO.',
  gradient: "DPO's, plus a constant push of the chosen response of nllWeight a token.",
  use: 'Chosen log-probabilities fall under DPO; reasoning, where the chosen answer is right.',
  trl: 'DPOTrainer `rpo_alpha`; today `["sigmoid", "sft"]` with `loss_weights`',
  formula: 'softplus(-beta * h) - nllWeight * c / tokens_c',
  publications: [
    { authors: 'Pang et al.', title: 'Iterative Reasoning Preference Optimization', year: 2024, arxiv: '2404.19733' },
    {
      authors: 'Liu et al.',
      title: 'Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly an Adversarial Regularizer',
      year: 2024,
      arxiv: '2405.16436',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta, nllWeight }) => {
    const ratios = logRatios(logprobs, 'rpo');
    const score = margin(ratios);
    return {
      perPair: withTokenNll(logisticLoss(tf.mul(score, beta)), logprobs, nllWeight, 'rpo'),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Regularised preference optimisation: DPO plus the likelihood of the chosen response, which keeps that likelihood from
 * falling while the margin grows.
 *
 *     perPair = -log sigmoid(beta h) - nllWeight c / tokens_c,   h = r_c - r_j
 *
 * c: summed log-probability of the chosen response under the policy; tokens_c: its length, which `compute` has to be
 * given unless `nllWeight` is 0. `score` is h.
 * Differs from Liu et al., whose likelihood is a sum over tokens, and from TRL, which averages it over all tokens of the
 * batch: here each response's mean counts once, as in Pang et al.
 *
 * Liu et al. 2024, arXiv 2405.16436; Pang et al. 2024, arXiv 2404.19733.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function rpo(options: RpoOptions = {}): CatalogueLoss {
  return rpoEntry.create(options);
}
