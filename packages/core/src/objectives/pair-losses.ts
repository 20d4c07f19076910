import * as tf from '@tensorflow/tfjs';
import {
  type LossState,
  MetaapoError,
  type PairArrays,
  type PairLogprobs,
  type PreferenceLoss,
} from '../contracts/index.js';

/** What a loss says of B pairs, each `[B]` float32. */
export interface PairValues {
  readonly perPair: Float32Array;
  readonly score: Float32Array;
  readonly chosenRewards: Float32Array;
  readonly rejectedRewards: Float32Array;
}

/** The loss with its state at hand, so that who evaluates it need not know of it. */
export function withLossState(loss: PreferenceLoss, state: LossState | undefined): PreferenceLoss {
  return state === undefined ? loss : { ...loss, compute: (logprobs) => loss.compute(logprobs, state) };
}

/** Values of a loss, without gradient. */
export async function pairValues(loss: PreferenceLoss, arrays: PairArrays): Promise<PairValues> {
  const logprobs = toTensors(arrays);
  try {
    const { perPair, score, chosenRewards, rejectedRewards } = tf.tidy(() => ({ ...loss.compute(logprobs) }));
    const [a, b, c, d] = await readAndDispose([perPair, score, chosenRewards, rejectedRewards]);
    return { perPair: a!, score: b!, chosenRewards: c!, rejectedRewards: d! };
  } finally {
    tf.dispose(Object.values(logprobs));
  }
}

/** Gradients of sum_i coefficients_i * perPair_i with respect to the policy's log-probabilities, each `[B]`. */
export async function pairGradients(
  loss: PreferenceLoss,
  arrays: PairArrays,
  coefficients: Float32Array,
): Promise<{ readonly chosen: Float32Array; readonly rejected: Float32Array }> {
  const logprobs = toTensors(arrays);
  const { policyChosen, policyRejected, ...constants } = logprobs;
  try {
    const gradients = tf.tidy(() =>
      tf.grads((chosen: tf.Tensor, rejected: tf.Tensor) => {
        const { perPair } = loss.compute({
          ...constants,
          policyChosen: chosen as tf.Tensor1D,
          policyRejected: rejected as tf.Tensor1D,
        });
        return tf.sum(tf.mul(perPair, tf.tensor1d(coefficients)));
      })([policyChosen, policyRejected]),
    );
    const [chosen, rejected] = await readAndDispose(gradients);
    return { chosen: chosen!, rejected: rejected! };
  } finally {
    tf.dispose(Object.values(logprobs));
  }
}

async function readAndDispose(tensors: readonly tf.Tensor[]): Promise<Float32Array[]> {
  try {
    return await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
  } finally {
    tf.dispose([...tensors]);
  }
}

function toTensors(arrays: PairArrays): PairLogprobs {
  const given = Object.entries(arrays).filter(([, values]) => values !== undefined);
  return Object.fromEntries(given.map(([name, values]) => [name, tf.tensor1d(values)])) as unknown as PairLogprobs;
}

/** @throws MetaapoError with code `numerics` that names the rows whose loss is not a number. */
export function checkLosses(perPair: Float32Array, rows: readonly number[], where: string): void {
  const bad = rows.filter((_, index) => !Number.isFinite(perPair[index]));
  if (bad.length === 0) return;
  throw new MetaapoError('numerics', `the loss is not finite in ${bad.length} of ${rows.length} rows`, {
    where,
    expected: 'finite losses',
    got: `rows ${bad.slice(0, 8).join(', ')}`,
    remedy: 'Lower the learning rate, or look at these rows',
  });
}
