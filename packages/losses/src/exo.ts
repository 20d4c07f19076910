import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';
import { logSigmoid } from './stable-ops.js';

const SMALLEST_SMOOTHING = 1e-3;

const schema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 1], defaultFrom: 'paper, section B (beta_r)' }),
  labelSmoothing: labelSmoothingOption({
    default: SMALLEST_SMOOTHING,
    description: 'Larger moves the target from certainty towards a coin toss; 0 stands for 1e-3.',
    defaultFrom: 'common implementation',
  }),
});

/** Options of {@link exo}. */
export type ExoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link exo}. */
export const exoEntry = defineLoss({
  id: 'exo',
  summary: 'Matches the policy to the smoothed label by the reverse KL divergence, which seeks one mode.',
  gradient:
    'Largest for pairs that are undecided; fades for pairs in the right order and also for pairs hopelessly in the wrong one.',
  use: 'DPO spreads its effort over pairs that cannot be learnt.',
  trl: 'DPOTrainer `exo_pair`',
  letters: { p: "the policy's own probability that chosen is the better one" },
  formula:
    'p * (log p - log(1 - e)) + (1 - p) * (log(1 - p) - log e), p = sigmoid(beta * h); e = 0 stands for e = 1e-3',
  publications: [
    {
      authors: 'Ji et al.',
      title: 'Towards Efficient Exact Optimization of Language Model Alignment',
      year: 2024,
      arxiv: '2402.00856',
      equation: '16',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta, labelSmoothing }) => {
    const epsilon = labelSmoothing === 0 ? SMALLEST_SMOOTHING : labelSmoothing;
    const ratios = logRatios(logprobs, 'exo');
    const score = margin(ratios);
    const logits: Tensor1D = tf.mul(score, beta);
    const opposite: Tensor1D = tf.neg(logits);
    // Equation 16 for a pair: KL(policy's choice || smoothed label).
    const chosenPart = tf.mul(tf.sigmoid(logits), tf.sub(logSigmoid(logits), Math.log(1 - epsilon)));
    const rejectedPart = tf.mul(tf.sigmoid(opposite), tf.sub(logSigmoid(opposite), Math.log(epsilon)));
    return { perPair: tf.add(chosenPart, rejectedPart), score, ...scaledRewards(ratios, beta) };
  },
});

/**
 * Efficient exact optimisation on pairs: the reverse KL divergence from the policy's choice between the two responses
 * to the label smoothed by e, where DPO has the forward one.
 *
 *     perPair = p (log p - log(1 - e)) + (1 - p)(log(1 - p) - log e),   p = sigmoid(beta h), h = r_c - r_j
 *
 * The gradient vanishes for pairs that are hopelessly wrong as well as for those already right. `score` is h.
 *
 * Ji et al. 2024, arXiv 2402.00856, equation 16.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function exo(options: ExoOptions = {}): CatalogueLoss {
  return exoEntry.create(options);
}
