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
    usual: [0.01, 1],
    description: 'Larger asks for a smaller margin, 1 / (2 beta), and so stays closer to the reference.',
    defaultFrom: 'convention',
  }),
});

/** Options of {@link ipo}. */
export type IpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link ipo}. */
export const ipoEntry = defineLoss({
  id: 'ipo',
  summary: 'Pulls the margin a token to a fixed target, from below and from above.',
  gradient: 'Linear in the distance from the target 1 / (2 beta): a pair beyond it is pulled back.',
  use: 'DPO overfits: few data, several epochs, or preferences without noise.',
  trl: 'DPOTrainer `ipo`',
  formula: '(h - 1 / (2 beta))^2, h over means',
  publications: [
    {
      authors: 'Azar et al.',
      title: 'A General Theoretical Paradigm to Understand Learning from Human Preferences',
      year: 2023,
      arxiv: '2310.12036',
      equation: '17',
    },
  ],
  aggregation: 'mean',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'ipo');
    const score = margin(ratios);
    // Equation 17: regression of the margin to 1 / (2 tau).
    return {
      perPair: tf.square<Tensor1D>(tf.sub<Tensor1D>(score, 1 / (2 * beta))),
      score,
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Identity preference optimisation: squared distance of the margin from a fixed target, so that a pair that is already
 * certain cannot push the policy away from the reference for ever.
 *
 *     perPair = (h - 1 / (2 beta))^2,   h = r_c - r_j over mean log-probabilities
 *
 * beta is the paper's tau. `score` is h (of means).
 * Differs from the paper's notation: log-probabilities are means over tokens, as the method's authors advised
 * implementers; sums would ask long answers for a target made for short ones.
 *
 * Azar et al. 2023, arXiv 2310.12036, equation 17.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function ipo(options: IpoOptions = {}): CatalogueLoss {
  return ipoEntry.create(options);
}
