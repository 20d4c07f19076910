import * as tf from '@tensorflow/tfjs';
import { betaField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import type { OptionField } from './option-fields.js';
import { numberField } from './option-fields.js';
import { divergenceEstimate, prospectLoss } from './unpaired-kto.js';

/** Options of {@link kto}. */
export interface KtoOptions {
  /** Risk aversion and reward scale, > 0, usually 0.01 to 0.5; default 0.1. */
  readonly beta?: number;
  /** lambda_D, weight of chosen responses, >= 0, usually 0.5 to 2; default 1. */
  readonly desirableWeight?: number;
  /** lambda_U, weight of rejected responses, >= 0, usually 0.5 to 2; default 1. */
  readonly undesirableWeight?: number;
}

/** Everything that is constant about {@link kto}. */
export const ktoEntry = defineLoss<KtoOptions>({
  id: 'kto',
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
  options: {
    beta: betaField({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper' }),
    desirableWeight: weightField('Larger pulls chosen responses up harder.'),
    undesirableWeight: weightField('Larger pushes rejected responses down harder.'),
  },
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

function weightField(effect: string): OptionField<number> {
  return numberField({ default: 1, bounds: { atLeast: 0 }, usual: [0.5, 2], effect, defaultFrom: 'paper' });
}

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
 * over the opposite responses stands in. With such responses at hand use `unpairedKto`, which is the paper's loss.
 *
 * Ethayarajh et al. 2024, arXiv 2402.01306.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function kto(options: KtoOptions = {}): CatalogueLoss {
  return ktoEntry.create(options);
}
