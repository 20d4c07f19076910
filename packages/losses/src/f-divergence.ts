import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { LogRatios } from './margins.js';
import { margin } from './margins.js';
import { cappedExp } from './stable-ops.js';

/** The option `fDivergence`. The bound of alpha is what float32 can still tell apart. */
export const fDivergenceOption = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('reverse-kl') }).readonly(),
    z.strictObject({ kind: z.literal('js') }).readonly(),
    z.strictObject({ kind: z.literal('alpha'), alpha: z.number().min(0.001).max(1).default(0.5) }).readonly(),
  ])
  .default({ kind: 'reverse-kl' })
  .meta({
    description:
      'js and alpha let the policy cover more of the reference; alpha 1 is the forward KL, alpha near 0 the reverse KL.',
    usual: 'alpha 0.1 to 1, 0.5 where it is not given',
    defaultFrom: 'paper (plain DPO)',
  });

/** Divergence between policy and reference that DPO's constraint uses. `alpha` is in (0, 1], default 0.5. */
export type FDivergence = Exclude<z.input<typeof fDivergenceOption>, undefined>;

/** A warning where alpha is an unusual one. */
export function alphaAdvice(divergence: z.output<typeof fDivergenceOption>): readonly string[] {
  if (divergence.kind !== 'alpha' || divergence.alpha >= 0.1) return [];
  return [
    `loss dpo: alpha ${divergence.alpha} is outside the usual 0.1 to 1: it is hardly another than the reverse KL.`,
  ];
}

/**
 * f'(u_c) - f'(u_j) with u = exp(log-ratio), `[B]` float32; constants of f' cancel. Wang et al. 2023, arXiv 2309.16240.
 *
 *     reverse-kl: f'(u) = log u + 1           -> r_c - r_j
 *     js:         f'(u) = log(2u / (1 + u))   -> softplus(-r_j) - softplus(-r_c)
 *     alpha:      f'(u) = (1 - u^-a) / a      -> (exp(-a r_j) - exp(-a r_c)) / a
 *
 * Differs from the paper: exponents are capped (see `cappedExp`), since exp(-a r) overflows once the policy has all but
 * given up a response; beyond the cap that response has no gradient.
 */
export function fDivergenceMargin(ratios: LogRatios, divergence: z.output<typeof fDivergenceOption>): Tensor1D {
  if (divergence.kind === 'reverse-kl') return margin(ratios);
  if (divergence.kind === 'js') {
    return tf.sub(tf.softplus(tf.neg(ratios.rejected)), tf.softplus(tf.neg(ratios.chosen)));
  }
  const { alpha } = divergence;
  const inversePower = (ratio: Tensor1D): Tensor1D => cappedExp(tf.mul(ratio, -alpha));
  return tf.div(tf.sub(inversePower(ratios.rejected), inversePower(ratios.chosen)), alpha);
}
