import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { margin, policyLogprobs, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { betaOption, labelSmoothingOption, weight } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({
    default: 2.5,
    usual: [2, 10],
    description:
      'Larger flattens the loss for pairs already apart; far below 2 the policy is known to collapse to repetition.',
    defaultFrom: 'paper (2 to 2.5 in most of its settings)',
  }),
  gamma: weight(0)
    .default(0.6)
    .meta({
      description: 'Larger asks for more separation between chosen and rejected; too large degrades the text.',
      usual: [0, 8],
      defaultFrom: 'MetaAPO; the paper sets 0.1 to 0.8 times beta',
    }),
  labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper' }),
});

/** Options of {@link simpo}. */
export type SimpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link simpo}. */
export const simpoEntry = defineLoss({
  id: 'simpo',
  summary: 'Compares mean log-probabilities with a target margin, and needs no reference.',
  gradient: 'beta * sigmoid(-z), split over the tokens of each response, so that long ones are pushed less a token.',
  use: 'Memory for a reference is lacking, or answers grow longer under DPO.',
  trl: 'CPOTrainer `simpo` with `cpo_alpha` 0',
  formula: '(1 - e) * softplus(-z) + e * softplus(z), z = beta * (c - j) - gamma, c and j means',
  publications: [
    {
      authors: 'Meng et al.',
      title: 'SimPO: Simple Preference Optimization with a Reference-Free Reward',
      year: 2024,
      arxiv: '2405.14734',
      equation: '6',
    },
  ],
  aggregation: 'mean',
  isReferenceFree: true,
  scoreScale: ({ beta }) => beta,
  options: schema,
  advice: gammaAdvice,
  evaluate: (logprobs, { beta, gamma, labelSmoothing }) => {
    const means = policyLogprobs(logprobs);
    // Equation 6.
    const score: Tensor1D = tf.sub(tf.mul(margin(means), beta), gamma);
    return {
      perPair: smoothedLogisticLoss(score, labelSmoothing),
      score,
      ...scaledRewards(means, beta),
    };
  },
});

function gammaAdvice({ beta, gamma }: z.output<typeof schema>): readonly string[] {
  const ratio = gamma / beta;
  if (ratio >= 0.1 && ratio <= 0.8) return [];
  const effect = ratio < 0.1 ? 'hardly asks for a margin' : 'asks for a margin that degrades the text';
  return [
    `loss simpo: gamma ${gamma} is ${Number(ratio.toPrecision(2))} times beta, outside the usual 0.1 to 0.8: it ${effect}.`,
  ];
}

/**
 * SimPO: logistic loss of the difference of mean log-probabilities less a target margin, without a reference.
 *
 *     perPair = -(1 - e) log sigmoid(z) - e log sigmoid(-z),   z = beta (c - j) - gamma
 *
 * c, j: mean log-probability a token of chosen and rejected under the policy; gamma: target margin; e:
 * `labelSmoothing`. `score` is z, gamma included, so that swapping the pair gives -z - 2 gamma.
 *
 * Meng et al. 2024, arXiv 2405.14734, equation 6.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function simpo(options: SimpoOptions = {}): CatalogueLoss {
  return simpoEntry.create(options);
}
