import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { alphaAdvice, fDivergenceMargin, fDivergenceOption } from './f-divergence.js';
import { logRatios, margin, policyLogprobs, scaledRewards, smoothedLogisticLoss } from './margins.js';
import { betaOption, labelSmoothingOption } from './shared-options.js';

const schema = z
  .strictObject({
    beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper' }),
    labelSmoothing: labelSmoothingOption({ default: 0, defaultFrom: 'paper (plain DPO)' }),
    referenceFree: z.boolean().default(false).meta({
      description: 'True drops the reference: nothing then holds the policy where it started.',
      defaultFrom: 'paper',
    }),
    fDivergence: fDivergenceOption,
  })
  .superRefine(({ referenceFree, fDivergence: { kind } }, context) => {
    if (!referenceFree || kind === 'reverse-kl') return;
    const message = `fDivergence ${kind} compares the policy with a reference, so referenceFree must be false`;
    context.addIssue({ code: 'custom', path: ['referenceFree'], message });
  });

/** Options of {@link dpo}. */
export type DpoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link dpo}. */
export const dpoEntry = defineLoss({
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
  options: schema,
  advice: ({ fDivergence }) => alphaAdvice(fDivergence),
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
