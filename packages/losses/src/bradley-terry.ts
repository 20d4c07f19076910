import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, margin, policyLogprobs } from './margins.js';
import { numberField } from './option-fields.js';

/** Options of {@link bradleyTerry}. */
export interface BradleyTerryOptions {
  /** Difference of rewards below which a pair counts as wrong, >= 0; default 0. Larger asks for more separation. */
  readonly margin?: number;
  /** Weight of (c + j)^2, >= 0, usually 0 to 0.1; default 0.01. Larger keeps rewards nearer to zero on average. */
  readonly centerPenalty?: number;
}

/** Everything that is constant about {@link bradleyTerry}. */
export const bradleyTerryEntry = defineLoss<BradleyTerryOptions>({
  id: 'bradley-terry',
  summary: 'Trains a reward model to give the chosen response the higher reward.',
  gradient: 'Both rewards are pushed equally hard, by sigmoid of minus the margin; the penalty pulls their sum to 0.',
  use: '`metaapo train-reward`.',
  trl: 'RewardTrainer; `center_rewards_coefficient` is `centerPenalty`',
  letters: { m: '`margin`', p: '`centerPenalty`' },
  formula: 'softplus(-(c - j - m)) + p * (c + j)^2, c and j rewards',
  publications: [
    {
      authors: 'Bradley and Terry',
      title: 'Rank Analysis of Incomplete Block Designs: I. The Method of Paired Comparisons',
      year: 1952,
    },
    {
      authors: 'Eisenstein et al.',
      title: 'Helping or Herding? Reward Model Ensembles Mitigate but do not Eliminate Reward Hacking',
      year: 2023,
      arxiv: '2312.09244',
    },
  ],
  reads: 'rewards',
  aggregation: 'sum',
  isReferenceFree: true,
  options: {
    margin: numberField({
      default: 0,
      bounds: { atLeast: 0 },
      usual: [0, 3],
      effect: 'Larger asks for more separation of the rewards.',
      defaultFrom: 'the plain model',
    }),
    centerPenalty: numberField({
      default: 0.01,
      bounds: { atLeast: 0 },
      usual: [0, 0.1],
      effect: 'Larger keeps rewards nearer to zero on average; the order of responses does not need it.',
      defaultFrom: 'Eisenstein et al.',
    }),
  },
  evaluate: (logprobs, { margin: wanted, centerPenalty }) => {
    const rewards = policyLogprobs(logprobs);
    const score: Tensor1D = tf.sub(margin(rewards), wanted);
    const sum = tf.add(rewards.chosen, rewards.rejected);
    return {
      perPair: tf.add(logisticLoss(score), tf.mul(tf.square(sum), centerPenalty)) as Tensor1D,
      score,
      chosenRewards: rewards.chosen,
      rejectedRewards: rewards.rejected,
    };
  },
});

/**
 * Bradley-Terry: the loss of a reward model. Its model gives rewards where a policy gives log-probabilities.
 *
 *     perPair = -log sigmoid(c - j - m) + p (c + j)^2
 *
 * c, j: rewards of chosen and rejected; m: `margin`; p: `centerPenalty` (Eisenstein et al. 2023, arXiv 2312.09244).
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function bradleyTerry(options: BradleyTerryOptions = {}): CatalogueLoss {
  return bradleyTerryEntry.create(options);
}
