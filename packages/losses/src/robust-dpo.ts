import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards } from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.01, usual: [0.005, 0.5], defaultFrom: 'paper, section B' }),
  labelSmoothing: labelSmoothingOption({
    default: 0.1,
    description: 'Larger corrects for more flipped labels; the variance grows as 1 / (1 - 2e).',
    defaultFrom: 'paper, section 6',
  }),
});

/** Options of {@link robustDpo}. */
export type RobustDpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link robustDpo}. */
export const robustDpoEntry = defineLoss({
  id: 'robust-dpo',
  summary: 'Undoes, on average, a known share of flipped labels in DPO.',
  gradient:
    'As DPO, plus a push of the same sign for pairs already in order: (1 - e) sigmoid(-beta h) + e sigmoid(beta h), over 1 - 2e; it never fades to 0.',
  use: 'Labels are noisy and the share of wrong ones is known, such as votes of a crowd.',
  trl: 'DPOTrainer `robust`',
  formula: '((1 - e) * softplus(-beta * h) - e * softplus(beta * h)) / (1 - 2e)',
  publications: [
    {
      authors: 'Chowdhury et al.',
      title: 'Provably Robust DPO: Aligning Language Models with Noisy Feedback',
      year: 2024,
      arxiv: '2403.00409',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta, labelSmoothing }) => {
    const ratios = logRatios(logprobs, 'robust-dpo');
    const score = margin(ratios);
    const logits: Tensor1D = tf.mul(score, beta);
    const asLabelled = tf.mul(logisticLoss(logits), 1 - labelSmoothing);
    const asFlipped = tf.mul(tf.softplus(logits), labelSmoothing);
    return {
      perPair: tf.div(tf.sub(asLabelled, asFlipped), 1 - 2 * labelSmoothing),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Robust DPO: an unbiased estimate of the DPO loss under clean labels from labels of which a share e is flipped.
 *
 *     perPair = ((1 - e) * -log sigmoid(beta h) - e * -log sigmoid(-beta h)) / (1 - 2e),   h = r_c - r_j
 *
 * e: `labelSmoothing`. The expectation over flips is DPO's loss, so single values may be negative, without a lower
 * bound as h grows. With e = 0 it is DPO. `score` is h.
 *
 * Chowdhury et al. 2024, arXiv 2403.00409.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function robustDpo(options: RobustDpoOptions = {}): CatalogueLoss {
  return robustDpoEntry.create(options);
}
