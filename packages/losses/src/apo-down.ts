import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper, section 5.2' }),
});

/** Options of {@link apoDown}. */
export type ApoDownOptions = z.input<typeof schema>;

/** Everything that is constant about {@link apoDown}. */
export const apoDownEntry = defineLoss({
  id: 'apo-down',
  summary: 'Lowers both responses, the rejected one more.',
  gradient:
    'The chosen one is pushed down by beta * s(1 - s) at r_c, and up only by the margin term; the rejected one down.',
  use: 'The policy already writes better than the chosen responses.',
  trl: 'DPOTrainer `apo_down`',
  formula: 'sigmoid(beta * r_c) + sigmoid(-beta * h)',
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
    const ratios = logRatios(logprobs, 'apo-down');
    const rewards = scaledRewards(ratios, beta);
    const score = margin(ratios);
    return {
      perPair: tf.add(tf.sigmoid(rewards.chosenRewards), tf.sigmoid(tf.mul(score, -beta))),
      score,
      ...rewards,
    };
  },
});

/**
 * Anchored preference optimisation, down: lowers the chosen likelihood while widening the margin, so the rejected one
 * falls further. For data whose chosen answers are worse than the policy's own.
 *
 *     perPair = sigmoid(beta r_c) + (1 - sigmoid(beta h)),   h = r_c - r_j
 *
 * Between 0 and 2; 1 when both log-ratios are zero. A falling chosen reward is what this loss asks for. `score` is h.
 *
 * D'Oosterlinck et al. 2024, arXiv 2408.06266.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function apoDown(options: ApoDownOptions = {}): CatalogueLoss {
  return apoDownEntry.create(options);
}
