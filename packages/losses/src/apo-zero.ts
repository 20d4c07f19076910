import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper, section 5.2' }),
});

/** Options of {@link apoZero}. */
export type ApoZeroOptions = z.input<typeof schema>;

/** Everything that is constant about {@link apoZero}. */
export const apoZeroEntry = defineLoss({
  id: 'apo-zero',
  summary: 'Raises chosen responses above the reference and lowers rejected ones below it, each on its own.',
  gradient: 'Each side beta * s(1 - s), s = sigmoid(beta r): strongest at the reference, fading both ways.',
  use: 'Chosen responses are better than what the policy writes.',
  trl: 'DPOTrainer `apo_zero`',
  formula: 'sigmoid(-beta * r_c) + sigmoid(beta * r_j)',
  publications: [
    {
      authors: "D'Oosterlinck et al.",
      title: 'Anchored Preference Optimization and Contrastive Revisions: Addressing Underspecification in Alignment',
      year: 2024,
      arxiv: '2408.06266',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'apo-zero');
    const rewards = scaledRewards(ratios, beta);
    return {
      perPair: tf.add(tf.sigmoid(tf.neg(rewards.chosenRewards)), tf.sigmoid(rewards.rejectedRewards)),
      score: margin(ratios),
      ...rewards,
    };
  },
});

/**
 * Anchored preference optimisation, zero: raises the chosen likelihood above the reference's and lowers the rejected
 * one below it, each on its own. For data whose chosen answers are better than the policy's.
 *
 *     perPair = (1 - sigmoid(beta r_c)) + sigmoid(beta r_j)
 *
 * Between 0 and 2; 1 when both log-ratios are zero. `score` is r_c - r_j.
 *
 * D'Oosterlinck et al. 2024, arXiv 2408.06266.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function apoZero(options: ApoZeroOptions = {}): CatalogueLoss {
  return apoZeroEntry.create(options);
}
