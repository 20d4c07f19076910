import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({
    default: 0.1,
    usual: [0.01, 0.5],
    description: 'A pair stops training once h exceeds 1 / beta: larger stops earlier.',
    defaultFrom: 'convention',
  }),
});

/** Options of {@link hinge}. */
export type HingeOptions = z.input<typeof schema>;

/** Everything that is constant about {@link hinge}. */
export const hingeEntry = defineLoss({
  id: 'hinge',
  summary: 'Pushes each pair until its margin reaches 1 / beta, then leaves it alone.',
  gradient: 'Constant, beta on each side, below a margin of 1 / beta; exactly 0 above it.',
  use: 'Pairs that are right should stop moving the policy at once.',
  trl: 'DPOTrainer `hinge`',
  formula: 'max(0, 1 - beta * h)',
  publications: [
    {
      authors: 'Zhao et al.',
      title: 'SLiC-HF: Sequence Likelihood Calibration with Human Feedback',
      year: 2023,
      arxiv: '2305.10425',
    },
    {
      authors: 'Liu et al.',
      title: 'Statistical Rejection Sampling Improves Preference Optimization',
      year: 2023,
      arxiv: '2309.06657',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'hinge');
    const score = margin(ratios);
    return {
      perPair: tf.relu<Tensor1D>(tf.sub<Tensor1D>(1, tf.mul(score, beta))),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Hinge loss on the margin: linear below a margin of 1 / beta nats, exactly zero above it.
 *
 *     perPair = max(0, 1 - beta h),   h = r_c - r_j
 *
 * The gradient at the kink is 0. `score` is h.
 * Differs from SLiC-HF: the margin is taken over log-ratios to the reference, as Liu et al. normalise it, and there is
 * no regularisation term.
 *
 * Zhao et al. 2023, arXiv 2305.10425; Liu et al. 2023, arXiv 2309.06657.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function hinge(options: HingeOptions = {}): CatalogueLoss {
  return hingeEntry.create(options);
}
