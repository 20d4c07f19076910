import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { betaField } from './beta-field.js';
import type { OptionField, OptionFields } from './option-fields.js';
import { numberField } from './option-fields.js';
import { detached } from './stable-ops.js';

/** Options of KTO, on pairs and without partners. */
export interface KtoOptions {
  /** Risk aversion and reward scale, > 0, usually 0.01 to 0.5; default 0.1. */
  readonly beta?: number;
  /** lambda_D, weight of chosen or desirable responses, >= 0, usually 0.5 to 2; default 1. */
  readonly desirableWeight?: number;
  /** lambda_U, weight of rejected or undesirable responses, >= 0, usually 0.5 to 2; default 1. */
  readonly undesirableWeight?: number;
}

/** The fields of {@link KtoOptions}. */
export const ktoFields: OptionFields<KtoOptions> = {
  beta: betaField({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper' }),
  desirableWeight: weightField('Larger pulls chosen responses up harder.'),
  undesirableWeight: weightField('Larger pushes rejected responses down harder.'),
};

function weightField(effect: string): OptionField<number> {
  return numberField({ default: 1, bounds: { atLeast: 0 }, usual: [0.5, 2], effect, defaultFrom: 'paper' });
}

/** max(0, mean log-ratio), a detached scalar: the reference point z of {@link prospectLoss}. */
export function divergenceEstimate(logRatios: Tensor1D): Scalar {
  return tf.relu<Scalar>(tf.mean<Scalar>(detached(logRatios)));
}

/** lambda * sigmoid(-s * beta * (r - z)), `[N]` float32: the loss of a response against the reference point z. */
export function prospectLoss(
  logRatio: Tensor1D,
  referencePoint: Scalar,
  label: 'desirable' | 'undesirable',
  { beta, desirableWeight, undesirableWeight }: Readonly<Required<KtoOptions>>,
): Tensor1D {
  const gain = tf.mul(tf.sub(logRatio, referencePoint), beta);
  return label === 'desirable'
    ? tf.mul(tf.sigmoid(tf.neg(gain)), desirableWeight)
    : tf.mul(tf.sigmoid(gain), undesirableWeight);
}
