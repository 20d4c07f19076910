import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { unpairedKto } from './unpaired-kto.js';

beforeAll(() => tf.setBackend('cpu'));

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const weights = { beta: 0.2, desirableWeight: 1.5, undesirableWeight: 0.5 };
const policy = [-10, -20, -8];
const reference = [-12, -17, -8.5];
const labels = [1, 0, 1];
const inputs = (mismatched: readonly number[]) => ({
  reference: tf.tensor1d(reference),
  isDesirable: tf.tensor1d(labels),
  mismatchedPolicy: tf.tensor1d([...mismatched]),
  mismatchedReference: tf.tensor1d(mismatched.map(() => -30)),
});

/** lambda * (1 - sigmoid(s * beta * (r - z0))), arXiv 2402.01306, eq. 7 and 8. */
function expected(z0: number): number[] {
  return labels.map((label, at) => {
    const gain = weights.beta * (policy[at]! - reference[at]! - z0);
    return label === 1 ? 1.5 * (1 - sigmoid(gain)) : 0.5 * (1 - sigmoid(-gain));
  });
}

it('judges each response against the divergence of mismatched ones', () => {
  const { perResponse, rewards } = unpairedKto({ policy: tf.tensor1d(policy), ...inputs([-28, -29]) }, weights);
  for (const [at, value] of expected(1.5).entries()) expect(perResponse.dataSync()[at]).toBeCloseTo(value, 6);
  expect([...rewards.dataSync()].map((value) => Number(value.toFixed(6)))).toEqual([0.4, -0.6, 0.1]);
});

it('takes no divergence below zero, and lets no gradient through it or the rewards', () => {
  const below = inputs([-35, -33]);
  const { perResponse } = unpairedKto({ policy: tf.tensor1d(policy), ...below }, weights);
  for (const [at, value] of expected(0).entries()) expect(perResponse.dataSync()[at]).toBeCloseTo(value, 6);
  const gradient = tf.grad((values: tf.Tensor) => {
    const losses = unpairedKto({ ...below, policy: values as tf.Tensor1D }, weights);
    return tf.add(tf.sum(losses.perResponse), tf.sum(losses.rewards));
  })(tf.tensor1d(policy));
  for (const [at, value] of [...gradient.dataSync()].entries()) {
    const s = sigmoid(weights.beta * (policy[at]! - reference[at]!));
    const slope = weights.beta * s * (1 - s);
    expect(value).toBeCloseTo(labels[at] === 1 ? -1.5 * slope : 0.5 * slope, 6);
  }
});

it('has the defaults of KTO on pairs', () => {
  const given = { policy: tf.tensor1d(policy), ...inputs([-28, -29]) };
  const values = (options?: object) => [...unpairedKto(given, options).perResponse.dataSync()];
  expect(values()).toEqual(values({ beta: 0.1, desirableWeight: 1, undesirableWeight: 1 }));
});

it('refuses options, shapes and labels that it does not know', () => {
  const given = { policy: tf.tensor1d(policy), ...inputs([-28, -29]) };
  const refused =
    (change: object, options = {}) =>
    () =>
      unpairedKto({ ...given, ...change }, options);
  expect(refused({}, { beta: 0 })).toThrow(
    /loss unpaired-kto beta: it is not accepted. Expected a number from 0.000001 to 1000; got 0/,
  );
  expect(refused({}, { betta: 1 })).toThrow(/unknown option/);
  expect(refused({ reference: tf.tensor1d([1]) })).toThrow(/reference has the wrong shape.*\[3\]; got \[1\]/s);
  expect(refused({ isDesirable: tf.tensor1d([1, -1, 1]) })).toThrow(/isDesirable holds another label.*got -1/s);
  expect(refused({ mismatchedPolicy: tf.tensor1d([]), mismatchedReference: tf.tensor1d([]) })).toThrow(
    /mismatchedPolicy has the wrong shape.*\[1\]; got \[0\]/s,
  );
});
