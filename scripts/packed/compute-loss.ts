// What a user writes first: a loss from its factory, on two pairs, with TensorFlow.js alone.
import type { PreferenceLoss } from '@metaapo/core/contracts';
import { dpo } from '@metaapo/losses';
import * as tf from '@tensorflow/tfjs';

const loss: PreferenceLoss = dpo({ beta: 0.1 });
const { perPair } = loss.compute({
  policyChosen: tf.tensor1d([-4, -4]),
  policyRejected: tf.tensor1d([-6, -6]),
  referenceChosen: tf.tensor1d([-4, -9]),
  referenceRejected: tf.tensor1d([-6, -1]),
});
// Equal policy and reference: log 2. A margin of 10 and beta 0.1: log(1 + exp(-1)).
const expected = [Math.log(2), Math.log1p(Math.exp(-1))];
const values = Array.from(await perPair.data());
if (expected.some((value, index) => Math.abs(value - (values[index] ?? Number.NaN)) > 1e-6)) {
  throw new Error(`dpo gave ${values.join(', ')}; expected ${expected.join(', ')}`);
}
