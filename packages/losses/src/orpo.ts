import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, margin, policyLogprobs, scaledRewards } from './margins.js';
import { betaOption, nllWeightOption } from './shared-options.js';
import { logOneMinusExp } from './stable-ops.js';

const schema = z.strictObject({
  beta: betaOption({
    default: 0.1,
    usual: [0.05, 1],
    description: 'Larger gives the preference more say against the likelihood.',
    defaultFrom: 'paper (lambda)',
  }),
  nllWeight: nllWeightOption({ default: 1, usual: [0, 2], defaultFrom: 'paper' }),
});

/** Options of {@link orpo}. */
export type OrpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link orpo}. */
export const orpoEntry = defineLoss({
  id: 'orpo',
  summary: 'Fine-tunes on the chosen response while the odds against the rejected one are kept up.',
  gradient:
    'The likelihood pushes constantly; the odds ratio by beta * sigmoid(-o) / (1 - P), more for responses near probability 1.',
  use: 'One stage from a base model, in the place of fine-tuning followed by DPO.',
  trl: 'ORPOTrainer; its `beta` is the same lambda',
  formula:
    'beta * softplus(-o) - nllWeight * c, o = log odds(c) - log odds(j), log odds(x) = x - log(1 - exp x), means',
  publications: [
    {
      authors: 'Hong et al.',
      title: 'ORPO: Monolithic Preference Optimization without Reference Model',
      year: 2024,
      arxiv: '2403.07691',
    },
  ],
  aggregation: 'mean',
  isReferenceFree: true,
  options: schema,
  marginUnit: 1,
  evaluate: (logprobs, { beta, nllWeight }) => {
    const means = policyLogprobs(logprobs);
    const score = margin({ chosen: logOdds(means.chosen), rejected: logOdds(means.rejected) });
    const oddsRatioTerm = tf.mul(logisticLoss(score), beta) as Tensor1D;
    return {
      perPair: tf.sub(oddsRatioTerm, tf.mul(means.chosen, nllWeight)),
      score,
      ...scaledRewards(means, beta),
    };
  },
});

/** log(p / (1 - p)) from log p, `[B]` float32. */
function logOdds(logProbability: Tensor1D): Tensor1D {
  return tf.sub(logProbability, logOneMinusExp(logProbability));
}

/**
 * Odds-ratio preference optimisation: supervised fine-tuning on the chosen response with a penalty when its odds do not
 * exceed those of the rejected one. No reference and no separate fine-tuning stage.
 *
 *     perPair = beta * -log sigmoid(o) - nllWeight c,   o = log(P_c / (1 - P_c)) - log(P_j / (1 - P_j)), P = exp(mean log p)
 *
 * c: mean log-probability a token of the chosen response; beta: the paper's lambda. `score` is o, without beta; rewards
 * are beta times the means. Mean log-probabilities above -1e-6 count as -1e-6 in the odds, which are infinite at 0.
 * Differs from common implementations, in which the likelihood is averaged over all tokens of the batch: here each
 * response's mean counts once.
 *
 * Hong et al. 2024, arXiv 2403.07691.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function orpo(options: OrpoOptions = {}): CatalogueLoss {
  return orpoEntry.create(options);
}
