import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { betaField, labelSmoothingField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { margin, policyLogprobs, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { numberField } from './option-fields.js';

/** Options of {@link simpo}. */
export interface SimpoOptions {
  /** Reward scale on mean log-probabilities, > 0, usually 2 to 10; default 2.5. DPO's 0.1 lets the policy collapse. */
  readonly beta?: number;
  /** Target margin of the rewards, >= 0, usually 0.1 to 0.8 times beta; default 0.6. Larger asks for more separation. */
  readonly gamma?: number;
  /** Probability that a label is wrong, 0 to below 0.5; default 0. */
  readonly labelSmoothing?: number;
}

/** Everything that is constant about {@link simpo}. */
export const simpoEntry = defineLoss<SimpoOptions>({
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
  options: {
    beta: betaField({
      default: 2.5,
      usual: [2, 10],
      effect:
        'Larger flattens the loss for pairs already apart; far below 2 the policy is known to collapse to repetition.',
      defaultFrom: 'paper (2 to 2.5 in most of its settings)',
    }),
    gamma: numberField({
      default: 0.6,
      bounds: { atLeast: 0 },
      usual: [0, 8],
      effect: 'Larger asks for more separation between chosen and rejected; too large degrades the text.',
      defaultFrom: 'MetaAPO; the paper sets 0.1 to 0.8 times beta',
    }),
    labelSmoothing: labelSmoothingField({ default: 0, defaultFrom: 'paper' }),
  },
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

function gammaAdvice({ beta, gamma }: Readonly<Required<SimpoOptions>>): readonly string[] {
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
