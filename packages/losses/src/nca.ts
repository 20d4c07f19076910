import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.01, usual: [1e-3, 0.5], defaultFrom: 'paper, section C (alpha)' }),
});

/** Options of {@link nca}. */
export type NcaOptions = z.input<typeof schema>;

/** Everything that is constant about {@link nca}. */
export const ncaEntry = defineLoss({
  id: 'nca',
  summary: 'Raises the chosen reward as data and lowers both rewards as noise.',
  gradient:
    'The chosen one is pushed up while sigmoid(beta r_c) < 2/3 and down beyond; the rejected one always down, by beta * sigmoid(beta r_j) / 2.',
  use: 'Chosen log-probabilities fall under DPO and should not.',
  trl: 'DPOTrainer `nca_pair`',
  formula: 'softplus(-beta * r_c) + softplus(beta * r_c) / 2 + softplus(beta * r_j) / 2',
  publications: [
    {
      authors: 'Chen et al.',
      title: 'Noise Contrastive Alignment of Language Models with Explicit Rewards',
      year: 2024,
      arxiv: '2402.05369',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'nca');
    const rewards = scaledRewards(ratios, beta);
    const noise = tf.add(tf.softplus(rewards.chosenRewards), tf.softplus(rewards.rejectedRewards));
    return {
      perPair: tf.add(logisticLoss(rewards.chosenRewards), tf.mul(noise, 0.5)),
      score: margin(ratios),
      ...rewards,
    };
  },
});

/**
 * Noise contrastive alignment on pairs: raises the chosen reward as data and lowers both as noise, which keeps the
 * likelihood of the chosen response from falling.
 *
 *     perPair = -log sigmoid(beta r_c) - (log sigmoid(-beta r_c) + log sigmoid(-beta r_j)) / 2
 *
 * Two log 2 when both log-ratios are zero. `score` is r_c - r_j.
 *
 * Chen et al. 2024, arXiv 2402.05369.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function nca(options: NcaOptions = {}): CatalogueLoss {
  return ncaEntry.create(options);
}
