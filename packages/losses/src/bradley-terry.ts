import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, margin, policyLogprobs } from './margins.js';
import { weight } from './shared-options.js';

const schema = z.strictObject({
  margin: weight(0)
    .default(0)
    .meta({
      description: 'Larger asks for more separation of the rewards.',
      usual: [0, 3],
      defaultFrom: 'the plain model',
    }),
  centerPenalty: weight(0)
    .default(0.01)
    .meta({
      description: 'Larger keeps rewards nearer to zero on average; the order of responses does not need it.',
      usual: [0, 0.1],
      defaultFrom: 'Eisenstein et al.',
    }),
});

/** Options of {@link bradleyTerry}. */
export type BradleyTerryOptions = z.input<typeof schema>;

/** Everything that is constant about {@link bradleyTerry}. */
export const bradleyTerryEntry = defineLoss({
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
  options: schema,
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
