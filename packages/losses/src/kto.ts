import * as tf from '@tensorflow/tfjs';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { divergenceEstimate, type KtoOptions, ktoSchema, prospectLoss } from './prospect-loss.js';

/** Everything that is constant about {@link kto}. */
export const ktoEntry = defineLoss({
  id: 'kto',
  summary: 'Judges each response alone, as a gain or a loss against how far the policy has already moved.',
  gradient: 'beta * s(1 - s), s = sigmoid(beta (r - z)): strongest near the reference point z, fading both ways.',
  use: 'Pairs of doubtful quality, or more rejected than chosen ones worth (weights); the objective `kto` for single thumbs up and down.',
  trl: 'KTOTrainer `kto`, for responses without partners: the objective `kto`',
  letters: {
    lambda_D: '`desirableWeight`',
    lambda_U: '`undesirableWeight`',
    z: 'how far the policy has moved from the reference already',
  },
  formula:
    '(lambda_D * sigmoid(-beta * (r_c - z_j)) + lambda_U * sigmoid(beta * (r_j - z_c))) / 2, z = max(0, batch mean of r), detached',
  publications: [
    {
      authors: 'Ethayarajh et al.',
      title: 'KTO: Model Alignment as Prospect Theoretic Optimization',
      year: 2024,
      arxiv: '2402.01306',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  couplesPairs: true,
  options: ktoSchema,
  evaluate: (logprobs, options) => {
    const ratios = logRatios(logprobs, 'kto');
    const chosenLoss = prospectLoss(ratios.chosen, divergenceEstimate(ratios.rejected), 'desirable', options);
    const rejectedLoss = prospectLoss(ratios.rejected, divergenceEstimate(ratios.chosen), 'undesirable', options);
    return {
      perPair: tf.mul(tf.add(chosenLoss, rejectedLoss), 0.5),
      score: margin(ratios),
      ...scaledRewards(ratios, options.beta),
    };
  },
});

/**
 * Kahneman-Tversky optimisation on pairs: each response is judged alone, as a gain or a loss against the divergence
 * that the policy already has from the reference.
 *
 *     perPair = (lambda_D * (1 - sigmoid(beta (r_c - z_j))) + lambda_U * (1 - sigmoid(beta (z_c - r_j)))) / 2
 *     z_c, z_j = max(0, mean of r_c, of r_j over the batch), detached
 *
 * The half makes the mean over pairs the mean over their 2B responses. 1/2 when all log-ratios are zero and both
 * weights 1. `score` is r_c - r_j.
 * Differs from the paper: its divergence is estimated on responses of other prompts; a pair has none, so the batch mean
 * over the opposite responses stands in. The objective `kto`
 * of `@metaapo/core` trains on responses without partners, and is the paper's.
 *
 * Ethayarajh et al. 2024, arXiv 2402.01306.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function kto(options: KtoOptions = {}): CatalogueLoss {
  return ktoEntry.create(options);
}
