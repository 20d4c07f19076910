import * as tf from '@tensorflow/tfjs';
import type { OperationAttributes } from '../../program/index.js';

interface StateAccess {
  /** Owned by the caller. */
  get(name: string): tf.Tensor;
  /** Takes ownership. */
  set(name: string, tensor: tf.Tensor): void;
}

/**
 * One AdamW update of one parameter and its moments (see `operations.updateAdamW`); no more than a few tensors of the
 * parameter's size live at a time.
 * @param scalars learning rate, gradient scale, 1 - beta1^t, 1 - beta2^t
 */
export function adamW(
  attributes: OperationAttributes['updateAdamW'],
  scalars: readonly tf.Tensor[],
  states: StateAccess,
): void {
  const { beta1, beta2, epsilon, weightDecay } = attributes;
  const [learningRate, gradientScale, correction1, correction2] = scalars.map((scalar) => scalar.dataSync()[0]!) as [
    number,
    number,
    number,
    number,
  ];
  const old = [attributes.parameter, attributes.gradient, attributes.firstMoment, attributes.secondMoment].map((name) =>
    states.get(name),
  );
  const [parameter, gradient, firstMoment, secondMoment] = old as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const [nextParameter, nextFirst, nextSecond] = tf.tidy(() => {
    const m = tf.add(tf.mul(firstMoment, beta1), tf.mul(gradient, (1 - beta1) * gradientScale));
    const v = tf.add(tf.mul(secondMoment, beta2), tf.mul(tf.square(gradient), (1 - beta2) * gradientScale ** 2));
    // lr * (m / c1) / (sqrt(v / c2) + eps) = (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps * sqrt(c2))
    const root = Math.sqrt(correction2);
    const direction = tf.div(m, tf.add(tf.sqrt(v), epsilon * root));
    const decayed = weightDecay === 0 ? parameter : tf.mul(parameter, 1 - learningRate * weightDecay);
    return [tf.sub(decayed, tf.mul(direction, (learningRate * root) / correction1)), m, v];
  });
  tf.dispose(old);
  states.set(attributes.parameter, nextParameter!);
  states.set(attributes.firstMoment, nextFirst!);
  states.set(attributes.secondMoment, nextSecond!);
}
