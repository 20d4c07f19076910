import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import type { LogRatios } from './margins.js';
import { margin } from './margins.js';
import type { OptionField } from './option-fields.js';
import { cappedExp } from './stable-ops.js';

/** Divergence between policy and reference that DPO's constraint uses. `alpha` is in (0, 1], default 0.5. */
export type FDivergence =
  | { readonly kind: 'reverse-kl' }
  | { readonly kind: 'js' }
  | { readonly kind: 'alpha'; readonly alpha?: number };

const DEFAULT_ALPHA = 0.5;

/** The field of `fDivergence`. */
export const fDivergenceField: OptionField<FDivergence> = {
  default: { kind: 'reverse-kl' },
  accepts: "{ kind: 'reverse-kl' }, { kind: 'js' } or { kind: 'alpha', alpha } with 0 < alpha <= 1",
  typical: 'alpha 0.1 to 1',
  effect:
    'js and alpha let the policy cover more of the reference; alpha 1 is the forward KL, alpha near 0 the reverse KL.',
  defaultFrom: 'paper (plain DPO)',
  accepted: isFDivergence,
  usual: (value) => value.kind !== 'alpha' || (value.alpha ?? DEFAULT_ALPHA) >= 0.1,
};

function isFDivergence(value: unknown): value is FDivergence {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, alpha, ...rest } = value as { kind?: unknown; alpha?: unknown };
  if (Object.keys(rest).length > 0) return false;
  if (kind !== 'alpha') return (kind === 'reverse-kl' || kind === 'js') && alpha === undefined;
  return alpha === undefined || (typeof alpha === 'number' && alpha > 0 && alpha <= 1);
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
export function fDivergenceMargin(ratios: LogRatios, divergence: FDivergence): Tensor1D {
  if (divergence.kind === 'reverse-kl') return margin(ratios);
  if (divergence.kind === 'js') {
    return tf.sub(tf.softplus(tf.neg(ratios.rejected)), tf.softplus(tf.neg(ratios.chosen)));
  }
  const alpha = divergence.alpha ?? DEFAULT_ALPHA;
  const inversePower = (ratio: Tensor1D): Tensor1D => cappedExp(tf.mul(ratio, -alpha));
  return tf.div(tf.sub(inversePower(ratios.rejected), inversePower(ratios.chosen)), alpha);
}
