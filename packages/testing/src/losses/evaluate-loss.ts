import type { LossState, PairLogprobs, PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
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

/** What a loss is given beside the policy's log-probabilities. */
export interface Given {
  /** By default where the loss reads it. */
  readonly reference?: boolean;
  /** Numbers of tokens; true by default. */
  readonly tokens?: boolean;
  readonly state?: LossState | undefined;
}

/** Tensors of the pairs, owned by the caller. */
export function toLogprobs(loss: PreferenceLoss, pairs: PairArrays, given: Given = {}): PairLogprobs {
  const { reference = !loss.isReferenceFree, tokens = true } = given;
  const names: (keyof PairArrays)[] = [
    'policyChosen',
    'policyRejected',
    ...(reference ? (['referenceChosen', 'referenceRejected'] as const) : []),
    ...(tokens ? (['chosenTokens', 'rejectedTokens'] as const) : []),
    ...(loss.readsMargins === true ? (['margins'] as const) : []),
  ];
  return Object.fromEntries(names.map((name) => [name, tf.tensor1d(pairs[name].slice())])) as unknown as PairLogprobs;
}

/** Values of a loss; leaves no tensor behind. */
export async function lossValues(loss: PreferenceLoss, pairs: PairArrays, given: Given = {}): Promise<LossValues> {
  await tf.ready();
  const logprobs = toLogprobs(loss, pairs, given);
  try {
    return await readLosses(tf.tidy(() => ({ ...loss.compute(logprobs, given.state) })));
  } finally {
    tf.dispose({ ...logprobs });
  }
}

/** Mean of `[B]` values. */
export function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
  const { policyChosen, policyRejected, ...constants } = toLogprobs(loss, pairs);
  const of = tf.grads((chosen: Tensor, rejected: Tensor) => {
    const policy = { policyChosen: chosen as Tensor1D, policyRejected: rejected as Tensor1D };
    return objective(loss.compute({ ...constants, ...policy }));
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
    tf.dispose({ policyChosen, policyRejected, ...constants });
  }
}

/** sum_i coefficients_i * perPair_i, as an objective. */
export function weightedSum(coefficients: Float32Array): (losses: PairLosses) => Tensor {
  return ({ perPair }) => tf.sum(tf.mul(perPair, tf.tensor1d(coefficients.slice())));
}
