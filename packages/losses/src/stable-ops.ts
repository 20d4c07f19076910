import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';

/** Largest exponent that {@link cappedExp} passes to `exp`: exp(80) is 5.5e34, so a division by 1e-3 still fits float32. */
export const EXPONENT_CAP = 80;

/** Largest log-probability that {@link logOneMinusExp} accepts as it is; values above are set to it. */
export const LOG_PROBABILITY_CAP = -1e-6;

/**
 * `[B]` float32, owned by the caller: the same values, through which no gradient flows.
 * TensorFlow.js has no stop-gradient; this op has a gradient of zeros.
 */
export function detached(values: Tensor1D): Tensor1D {
  const op = tf.customGrad((input) => ({
    value: (input as Tensor).clone(),
    gradFunc: (dy: Tensor) => tf.zerosLike(dy),
  }));
  return op(values) as Tensor1D;
}

/**
 * `[B]` float32, owned by the caller: log sigmoid(x) = -softplus(-x), finite for every finite x.
 * Replaces `tf.logSigmoid`, whose gradient throws under `tf.variableGrads`.
 */
export function logSigmoid(values: Tensor1D): Tensor1D {
  return tf.neg(tf.softplus(tf.neg(values)));
}

/**
 * `[B]` float32, owned by the caller: exp(x) for x up to {@link EXPONENT_CAP}, exp(cap) with zero gradient above,
 * which keeps value and gradient finite where the exact value would overflow float32.
 */
export function cappedExp(values: Tensor1D): Tensor1D {
  return tf.exp<Tensor1D>(tf.minimum<Tensor1D>(values, EXPONENT_CAP));
}

/**
 * `[B]` float32, owned by the caller: log(1 - exp(x)), the log-probability of "anything else", for log-probabilities x < 0.
 * x above {@link LOG_PROBABILITY_CAP} (a response of probability one) is set to it, with zero gradient: the exact value
 * would be minus infinity.
 */
export function logOneMinusExp(logProbabilities: Tensor1D): Tensor1D {
  const op = tf.customGrad((input, save) => {
    const x = tf.minimum(input as Tensor, LOG_PROBABILITY_CAP);
    (save as (tensors: Tensor[]) => void)([input as Tensor]);
    // Two forms, each exact where the other cancels.
    const value = tf.where(tf.greater(x, -Math.LN2), tf.log(tf.neg(tf.expm1(x))), tf.log1p(tf.neg(tf.exp(x))));
    return { value, gradFunc: logOneMinusExpGradient };
  });
  return op(logProbabilities) as Tensor1D;
}

function logOneMinusExpGradient(dy: Tensor, saved: Tensor[]): Tensor {
  const input = saved[0]!;
  const x = tf.minimum(input, LOG_PROBABILITY_CAP);
  // d/dx log(1 - e^x) = -1 / (e^(-x) - 1)
  const slope = tf.div(-1, tf.expm1(tf.neg(x)));
  return tf.mul(dy, tf.mul(slope, tf.cast(tf.lessEqual(input, LOG_PROBABILITY_CAP), 'float32')));
}

/**
 * `[B]` float32, owned by the caller: the values in ascending order, differentiable. Equal values keep their order.
 * Written with a `[B, B]` rank matrix since the gradient of `tf.gather` is missing on the wasm backend.
 */
export function sortAscending(values: Tensor1D): Tensor1D {
  const op = tf.customGrad((input, save) => {
    const x = input as Tensor1D;
    const selection = rankMatrix(x);
    (save as (tensors: Tensor[]) => void)([selection]);
    return {
      value: tf.sum(tf.mul(selection, tf.reshape(x, [1, -1])), 1),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.sum(tf.mul(saved[0]!, tf.reshape(dy, [-1, 1])), 0),
    };
  });
  return op(values) as Tensor1D;
}

/** `[B, B]` float32 of zeros and ones: entry (k, i) is one when value i is the k-th smallest. */
function rankMatrix(values: Tensor1D): Tensor {
  const size = values.shape[0];
  const column = tf.reshape(values, [size, 1]);
  const row = tf.reshape(values, [1, size]);
  const index = tf.range(0, size, 1, 'float32');
  const isEarlier = tf.less(tf.reshape(index, [1, size]), tf.reshape(index, [size, 1]));
  const isBefore = tf.logicalOr(tf.less(row, column), tf.logicalAnd(tf.equal(row, column), isEarlier));
  const rank = tf.sum(tf.cast(isBefore, 'float32'), 1);
  return tf.cast(tf.equal(tf.reshape(index, [size, 1]), tf.reshape(rank, [1, size])), 'float32');
}
