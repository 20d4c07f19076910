import type { PairLogprobs, PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError, thrownMessage } from '../conformance-error.js';
import type { PairArrays } from './pair-arrays.js';

/** The tensors that a loss gives, in the contract's order. */
export const OUTPUTS = ['perPair', 'score', 'chosenRewards', 'rejectedRewards'] as const;

/** What a loss says of B pairs, each `[B]`. */
export type LossValues = Readonly<Record<keyof PairLosses, Float32Array>>;

/** The loss's name in messages. */
export function lossName(loss: PreferenceLoss): string {
  return `loss ${loss.id}`;
}

/** Tensors of the pairs, by default with the reference where the loss reads it; owned by the caller. */
export function toLogprobs(
  loss: PreferenceLoss,
  pairs: PairArrays,
  hasReference: boolean = !loss.isReferenceFree,
): PairLogprobs {
  const tensor = (values: Float32Array): Tensor1D => tf.tensor1d(values.slice());
  const policy = { policyChosen: tensor(pairs.policyChosen), policyRejected: tensor(pairs.policyRejected) };
  if (!hasReference) return policy;
  return {
    ...policy,
    referenceChosen: tensor(pairs.referenceChosen),
    referenceRejected: tensor(pairs.referenceRejected),
  };
}

/** Values of a loss; leaves no tensor behind. */
export async function lossValues(
  loss: PreferenceLoss,
  pairs: PairArrays,
  hasReference: boolean = !loss.isReferenceFree,
): Promise<LossValues> {
  await tf.ready();
  const logprobs = toLogprobs(loss, pairs, hasReference);
  try {
    return await readLosses(tf.tidy(() => ({ ...loss.compute(logprobs) })));
  } finally {
    tf.dispose({ ...logprobs });
  }
}

/** Copies of the values of a loss's tensors, which are disposed. */
export async function readLosses(losses: PairLosses): Promise<LossValues> {
  const read = async (tensor: Tensor): Promise<Float32Array> => Float32Array.from(await tensor.data());
  const [perPair, score, chosenRewards, rejectedRewards] = await Promise.all(OUTPUTS.map((name) => read(losses[name])));
  tf.dispose({ ...losses });
  return { perPair: perPair!, score: score!, chosenRewards: chosenRewards!, rejectedRewards: rejectedRewards! };
}

/** Gradients with respect to the policy's log-probabilities, each `[B]`. */
export interface LossGradients {
  readonly chosen: Float32Array;
  readonly rejected: Float32Array;
}

/**
 * Gradients of a scalar that `objective` makes of the losses.
 * @throws ConformanceError when TensorFlow.js cannot differentiate it
 */
export async function lossGradients(
  loss: PreferenceLoss,
  pairs: PairArrays,
  objective: (losses: PairLosses) => Tensor,
): Promise<LossGradients> {
  await tf.ready();
  const { policyChosen, policyRejected, ...reference } = toLogprobs(loss, pairs);
  const of = tf.grads((chosen: Tensor, rejected: Tensor) => {
    const policy = { policyChosen: chosen as Tensor1D, policyRejected: rejected as Tensor1D };
    return objective(loss.compute({ ...reference, ...policy }));
  });
  try {
    const gradients = tf.tidy(() => of([policyChosen, policyRejected]));
    const [chosen, rejected] = await Promise.all(gradients.map(async (g) => Float32Array.from(await g.data())));
    tf.dispose(gradients);
    return { chosen: chosen!, rejected: rejected! };
  } catch (thrown) {
    const fault = `its gradient cannot be computed: ${thrownMessage(thrown)}`;
    throw new ConformanceError(lossName(loss), fault, thrown);
  } finally {
    tf.dispose({ policyChosen, policyRejected, ...reference });
  }
}

/** sum_i coefficients_i * perPair_i, as an objective. */
export function weightedSum(coefficients: Float32Array): (losses: PairLosses) => Tensor {
  return ({ perPair }) => tf.sum(tf.mul(perPair, tf.tensor1d(coefficients.slice())));
}
