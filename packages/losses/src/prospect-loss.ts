import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import { betaOption, weight } from './shared-options.js';
import { detached } from './stable-ops.js';

/** Options of KTO on pairs, as their schema. */
export const ktoSchema = z.strictObject({
  beta: betaOption({ default: 0.1, usual: [0.01, 0.5], defaultFrom: 'paper' }),
  desirableWeight: sideWeight('Larger pulls chosen responses up harder.'),
  undesirableWeight: sideWeight('Larger pushes rejected responses down harder.'),
});

/** Options of KTO on pairs. */
export type KtoOptions = z.input<typeof ktoSchema>;

function sideWeight(description: string) {
  return weight(0)
    .default(1)
    .meta({ description, usual: [0.5, 2], defaultFrom: 'paper' });
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
  { beta, desirableWeight, undesirableWeight }: z.output<typeof ktoSchema>,
): Tensor1D {
  const gain = tf.mul(tf.sub(logRatio, referencePoint), beta);
  return label === 'desirable'
    ? tf.mul(tf.sigmoid(tf.neg(gain)), desirableWeight)
    : tf.mul(tf.sigmoid(gain), undesirableWeight);
}
