import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { betaField, labelSmoothingField } from './beta-field.js';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import type { FDivergence } from './f-divergence.js';
import { fDivergenceField, fDivergenceMargin } from './f-divergence.js';
import { logRatios, margin, policyLogprobs, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { booleanField } from './option-fields.js';

/** Options of {@link dpo}. */
export interface DpoOptions {
  /** Reward scale, > 0, usually 0.01 to 0.5; default 0.1. Larger holds the policy closer to the reference. */
  readonly beta?: number;
  /** Probability that a label is wrong, 0 to below 0.5; default 0. Above 0 the loss is cDPO and margins stay bounded. */
  readonly labelSmoothing?: number;
  /** True compares the policy's own log-probabilities, as if the reference were uniform; default false. */
  readonly referenceFree?: boolean;
  /** Divergence that ties the policy to the reference; default `{ kind: 'reverse-kl' }`. */
  readonly fDivergence?: FDivergence;
}

/** Everything that is constant about {@link dpo}. */
export const dpoEntry = defineLoss<DpoOptions>({
  id: 'dpo',
  summary: 'Widens the gap between chosen and rejected log-ratios by logistic regression on their difference.',
  gradient:
    'Both responses are pushed equally hard, by beta * sigmoid(-beta * h): beta for pairs far in the wrong order, fading to 0 as the margin grows.',
  use: 'First choice, and the yardstick for the others: clean preferences and a reference that is near the data.',
  trl: 'DPOTrainer `sigmoid`; with `fDivergence` `f_divergence_type`, with `referenceFree` `reference_free`',
  letters: { "f'": "derivative of the divergence's f, a function of the ratio exp r of policy to reference" },
  formula: "(1 - e) * softplus(-beta * h) + e * softplus(beta * h); with an f-divergence h = f'(exp r_c) - f'(exp r_j)",
  publications: [
    {
      authors: 'Rafailov et al.',
      title: 'Direct Preference Optimization: Your Language Model is Secretly a Reward Model',
      year: 2023,
      arxiv: '2305.18290',
      equation: '7',
    },
    { authors: 'Mitchell', title: 'A note on DPO with noisy preferences and relationship to IPO (cDPO)', year: 2023 },
    {
      authors: 'Wang et al.',
      title: 'Beyond Reverse KL: Generalizing Direct Preference Optimization with Diverse Divergence Constraints',
      year: 2023,
      arxiv: '2309.16240',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: (options) => options.referenceFree,
  options: {
    beta: betaField({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper' }),
    labelSmoothing: labelSmoothingField({ default: 0, defaultFrom: 'paper (plain DPO)' }),
    referenceFree: booleanField({
      default: false,
      effect: 'True drops the reference: nothing then holds the policy where it started.',
      defaultFrom: 'paper',
    }),
    fDivergence: fDivergenceField,
  },
  conflict: ({ referenceFree, fDivergence }) =>
    referenceFree && fDivergence.kind !== 'reverse-kl'
      ? `fDivergence ${fDivergence.kind} compares the policy with a reference, so referenceFree must be false`
      : undefined,
  evaluate: (logprobs, { beta, labelSmoothing, referenceFree, fDivergence }) => {
    const ratios = referenceFree ? policyLogprobs(logprobs) : logRatios(logprobs, 'dpo');
    const logits = tf.mul(fDivergenceMargin(ratios, fDivergence), beta) as Tensor1D;
    return {
      perPair: smoothedLogisticLoss(logits, labelSmoothing),
      score: margin(ratios),
      ...scaledRewards(ratios, beta),
    };
  },
});

/**
 * Direct preference optimisation: the negative log-likelihood of the preferences under a Bradley-Terry model whose
 * reward is beta times the log-ratio of policy to reference.
 *
 *     perPair = -(1 - e) log sigmoid(beta h) - e log sigmoid(-beta h),   h = r_c - r_j
 *
 * r_c, r_j: sums of log p - log r over the tokens of chosen and rejected; e: `labelSmoothing` (cDPO). With
 * `fDivergence`, h is f'(exp r_c) - f'(exp r_j). Log 2 at h = 0. `score` is the plain r_c - r_j in all cases.
 *
 * Rafailov et al. 2023, arXiv 2305.18290, equation 7; f-divergences: Wang et al. 2023, arXiv 2309.16240.
 * @throws MetaapoError with code `config` for an option that is unknown, out of bounds or in conflict with another.
 */
export function dpo(options: DpoOptions = {}): CatalogueLoss {
  return dpoEntry.create(options);
}
