import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { Tensor } from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { lossGradients, lossName, lossValues, OUTPUTS, toLogprobs, weightedSum } from './evaluate-loss.js';
import type { LossFlags } from './loss-flags.js';
import { extremePairs, fivePairs, pairsInOrder } from './pair-arrays.js';

/**
 * Passes when all four outputs are `[B]` float32 tensors, for B of 1, 3 and 5.
 * @throws ConformanceError that names the output
 */
export async function checkLossShapes(loss: PreferenceLoss): Promise<void> {
  await tf.ready();
  for (const count of [1, 3, 5]) {
    const logprobs = toLogprobs(loss, pairsInOrder(fivePairs(loss), [...Array(count).keys()]));
    try {
      tf.tidy(() => {
        const losses = loss.compute(logprobs);
        for (const name of OUTPUTS) checkShape(loss, name, losses[name], count);
      });
    } finally {
      tf.dispose({ ...logprobs });
    }
  }
}

function checkShape(loss: PreferenceLoss, name: string, tensor: unknown, count: number): void {
  if (!(tensor instanceof Tensor)) throw new ConformanceError(lossName(loss), `${name} is no tensor`);
  if (tensor.rank !== 1 || tensor.size !== count) {
    const got = `[${tensor.shape.join(', ')}]`;
    throw new ConformanceError(lossName(loss), `${name} has shape ${got} for ${count} pairs, expected [${count}]`);
  }
  if (tensor.dtype !== 'float32') {
    throw new ConformanceError(lossName(loss), `${name} has dtype ${tensor.dtype}, expected float32`);
  }
}

/**
 * Passes when values and gradients are finite for margins from -`largestMargin` to `largestMargin`.
 * @throws ConformanceError that names the output and the log-probabilities
 */
export async function checkLossFinite(loss: PreferenceLoss, flags: LossFlags = {}): Promise<void> {
  const pairs = extremePairs(flags.largestMargin ?? 1e4);
  const ones = new Float32Array(pairs.policyChosen.length).fill(1);
  const { chosen, rejected } = await lossGradients(loss, pairs, weightedSum(ones));
  const gradients = { 'the gradient of chosen': chosen, 'the gradient of rejected': rejected };
  const found = { ...(await lossValues(loss, pairs)), ...gradients };
  for (const [name, values] of Object.entries(found)) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    const at = Object.entries(pairs).map(([key, given]) => `${key} ${given[bad]}`);
    throw new ConformanceError(lossName(loss), `${name} is ${values[bad]}, not finite, at ${at.join(', ')}`);
  }
}
