import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({ default: 0.05, usual: [0.01, 0.5], defaultFrom: 'paper, section B.1' }),
  tau: z
    .number()
    .min(1e-6)
    .lt(1)
    .default(0.05)
    .meta({
      description: 'Smaller switches more abruptly from the logistic loss (z < 0) to the exponential one (z > 0).',
      usual: [0.01, 0.2],
      defaultFrom: 'paper, section E',
    }),
});

/** Options of {@link discopop}. */
export type DiscopopOptions = z.input<typeof schema>;

/** Everything that is constant about {@link discopop}. */
export const discopopEntry = defineLoss({
  id: 'discopop',
  summary: 'Blends the logistic and the exponential loss by the margin, as found by a search over programs.',
  gradient:
    'As DPO for pairs in the wrong order; near h = 0 it turns round within a few tau; exponential decay beyond.',
  use: 'Experiments with loss shapes; not convex.',
  trl: 'DPOTrainer `discopop`',
  formula: '(1 - m) * softplus(-z) + m * exp(-z), z = beta * h, m = sigmoid(z / tau)',
  publications: [
    {
      authors: 'Lu et al.',
      title: 'Discovering Preference Optimization Algorithms with and for Large Language Models',
      year: 2024,
      arxiv: '2406.08414',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta, tau }) => {
    const ratios = logRatios(logprobs, 'discopop');
    const score = margin(ratios);
    const logits: Tensor1D = tf.mul(score, beta);
    const sharpened: Tensor1D = tf.div(logits, tau);
    const logisticPart = tf.mul(tf.sigmoid(tf.neg(sharpened)), logisticLoss(logits));
    // m exp(-z) as one exponent: for z far below 0 the factors are 0 and infinity, their product 0 (tau < 1).
    const exponentialPart = tf.exp(tf.neg(tf.add(logits, logisticLoss(sharpened))));
    return { perPair: tf.add(logisticPart, exponentialPart), score, ...scaledRewards(ratios, beta) };
  },
});

/**
 * DiscoPOP, the log-ratio modulated loss found by program search: logistic for pairs in the wrong order, exponential
 * for those in the right order.
 *
 *     perPair = (1 - m) * -log sigmoid(z) + m * exp(-z),   z = beta h, m = sigmoid(z / tau), h = r_c - r_j
 *
 * Not convex and not monotone: near z = 0 it falls, rises and falls again. `score` is h.
 * Differs from common implementations in its arithmetic alone: m exp(-z) is computed as one exponent, so it is finite
 * for every margin.
 *
 * Lu et al. 2024, arXiv 2406.08414.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function discopop(options: DiscopopOptions = {}): CatalogueLoss {
  return discopopEntry.create(options);
}
