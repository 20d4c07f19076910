import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { margin, policyLogprobs, scaledRewards } from './margins.js';

/** Everything that is constant about {@link nll}. */
export const nllEntry = defineLoss({
  id: 'nll',
  summary: 'Is the negative log-likelihood a token of the chosen response: supervised fine-tuning, for weighted sums.',
  gradient: 'Constant: every token of the chosen response is pushed up by 1 / length; the rejected one is not read.',
  use: 'Beside another loss in a `weighted-sum`, to hold the likelihood of chosen responses.',
  trl: 'DPOTrainer `sft`',
  formula: '-c, over means',
  publications: [
    { authors: 'Pang et al.', title: 'Iterative Reasoning Preference Optimization', year: 2024, arxiv: '2404.19733' },
  ],
  aggregation: 'mean',
  isReferenceFree: true,
  options: z.strictObject({}),
  evaluate: (logprobs) => {
    const means = policyLogprobs(logprobs);
    // TensorFlow.js refuses to differentiate with respect to what was not read.
    const nothing = tf.mul(means.rejected, 0);
    return { perPair: tf.sub(nothing, means.chosen), score: margin(means), ...scaledRewards(means, 1) };
  },
});

/**
 * Negative log-likelihood a token of the chosen response: what supervised fine-tuning minimises. Meant for a weighted
 * sum, beside a loss that looks at both responses.
 *
 *     perPair = -c
 *
 * c: mean log-probability a token of the chosen response under the policy. `score` is c - j.
 *
 * As a term beside DPO: Pang et al. 2024, arXiv 2404.19733.
 */
export function nll(): CatalogueLoss {
  return nllEntry.create();
}
