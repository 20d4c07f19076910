// A user's project that takes a loss from a plugin of another author, by its id.
import { composeRun } from '@metaapo/core';
import * as tf from '@tensorflow/tfjs';
import plugin from 'my-loss';

const { loss } = await composeRun({ plugins: [plugin], recipe: { loss: { id: 'my-loss', beta: 0.1 } } });
const { perPair } = loss.compute({
  policyChosen: tf.tensor1d([-4]),
  policyRejected: tf.tensor1d([-6]),
  referenceChosen: tf.tensor1d([-9]),
  referenceRejected: tf.tensor1d([-1]),
});
// Offset 0.5, h = 5 + 5: log(1 + exp(0.5 - 1)).
const expected = Math.log1p(Math.exp(-0.5));
const [value] = await perPair.data();
if (!(Math.abs((value ?? Number.NaN) - expected) < 1e-6)) throw new Error(`my-loss gave ${value}, not ${expected}`);
