import * as tf from '@tensorflow/tfjs';
import type { Node, OperationAttributes } from '../../program/index.js';
import type { Kernel } from './kernels.js';

/** The states of a session, as what changes them sees them. */
export interface StateAccess {
  /** A handle of the state's tensor, owned by the caller. */
  get(name: string): tf.Tensor;
  /** The tensor itself, handed over; zeros where it was never written. */
  take(name: string): tf.Tensor;
  /** Takes ownership. */
  set(name: string, tensor: tf.Tensor): void;
}

/** What changes states. Each takes a state's tensor over and gives the one that follows, to be owned by the caller. */
export interface StateKernels {
  add(owned: tf.Tensor, other: tf.Tensor): tf.Tensor;
  /** Adds rows `[n, ...]` to those that indices `[n]` name, which are the node's inputs. */
  addRows(owned: tf.Tensor, inputs: readonly tf.Tensor[], node: Node): tf.Tensor;
  /** Writes rows `[n, w]` over those that `indices` `[n]` name, all numbers seen as rows of w. */
  replaceRows(owned: tf.Tensor, rows: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor;
  /** Copies rows of `width` numbers. */
  moveRows(owned: tf.Tensor, width: number, from: tf.Tensor1D, to: tf.Tensor1D): tf.Tensor;
  /**
   * One AdamW update of one parameter and its moments (see `operations.updateAdamW`).
   * @param scalars learning rate, gradient scale, 1 - beta1^t, 1 - beta2^t
   */
  updateAdamW(attributes: OperationAttributes['updateAdamW'], scalars: readonly tf.Tensor[], states: StateAccess): void;
}

/** Out of TensorFlow.js operations that every backend has; new tensors take the places of old ones. */
export function portableStateKernels(segmentSum: Kernel): StateKernels {
  return {
    add: (owned, other) => replacing(owned, () => tf.add(owned, other)),
    addRows: (owned, inputs, node) =>
      replacing(owned, () =>
        tf.tidy(() => tf.add(owned, segmentSum(inputs, node, { outputShapes: [owned.shape] })[0]!)),
      ),
    replaceRows: (owned, rows, indices) => replaceRows(owned, rows.shape[1], () => ({ rows, indices })),
    moveRows: (owned, width, from, to) =>
      replaceRows(owned, width, (all) => ({ rows: tf.gather(all, from), indices: to })),
    updateAdamW,
  };
}

function replacing(owned: tf.Tensor, compute: () => tf.Tensor): tf.Tensor {
  const next = compute();
  owned.dispose();
  return next;
}

/** Writes rows of `width` numbers over those that `choose` names, given all of them. */
function replaceRows(
  owned: tf.Tensor,
  width: number,
  choose: (all: tf.Tensor2D) => { readonly rows: tf.Tensor2D; readonly indices: tf.Tensor1D },
): tf.Tensor {
  return replacing(owned, () =>
    tf.tidy(() => {
      const all = tf.reshape(owned, [-1, width]) as tf.Tensor2D;
      const { rows, indices } = choose(all);
      return tf.reshape(tf.tensorScatterUpdate(all, tf.reshape(indices, [-1, 1]), rows), owned.shape);
    }),
  );
}

/** No more than a few tensors of the parameter's size live at a time. */
const updateAdamW: StateKernels['updateAdamW'] = (attributes, scalars, states) => {
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
};
