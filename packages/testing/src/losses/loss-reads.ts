import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { lossGradients, lossName, lossValues } from './evaluate-loss.js';
import { fivePairs } from './pair-arrays.js';

/**
 * Passes when neither the loss nor its gradient reads the numbers of a tensor while it computes: a GPU behind WebGPU gives
 * none at once, and any other has to be waited for.
 * @throws ConformanceError that says so
 */
export async function checkLossReads(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  await tf.ready();
  const { dataSync } = tf.Tensor.prototype;
  let reads = 0;
  tf.Tensor.prototype.dataSync = function counted(this: tf.Tensor) {
    reads++;
    return dataSync.call(this);
  } as typeof dataSync;
  try {
    await lossValues(loss, pairs);
    await lossGradients(loss, pairs, ({ perPair }) => tf.mean(perPair));
  } finally {
    tf.Tensor.prototype.dataSync = dataSync;
  }
  if (reads === 0) return;
  throw new ConformanceError(
    lossName(loss),
    'it reads numbers synchronously (dataSync, arraySync or bufferSync), which WebGPU cannot; compute with tensors',
  );
}
