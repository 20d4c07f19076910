import { MetaapoError, type PairLogprobs, type PairLosses, type PreferenceLoss } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';

const detach = tf.customGrad((x) => ({ value: tf.clone(x as Tensor1D), gradFunc: () => tf.zerosLike(x as Tensor1D) }));
/** The same values, through which no gradient flows. */
export const detached = (x: Tensor1D): Tensor1D => detach(x) as Tensor1D;

/** The reference of a loss that needs one. */
export function reference({ referenceChosen, referenceRejected }: PairLogprobs): readonly [Tensor1D, Tensor1D] {
  if (referenceChosen !== undefined && referenceRejected !== undefined) return [referenceChosen, referenceRejected];
  throw new MetaapoError('config', 'the reference is missing', { where: 'loss sound' });
}

/** softplus(-0.1 h), h = (c - rc) - (j - rj): a loss with nothing wrong. */
export function computeSound(logprobs: PairLogprobs): PairLosses {
  if (logprobs.policyChosen.size !== logprobs.policyRejected.size) throw new Error('the shapes differ');
  const [referenceChosen, referenceRejected] = reference(logprobs);
  return tf.tidy(() => {
    const chosen: Tensor1D = tf.sub(logprobs.policyChosen, referenceChosen);
    const rejected: Tensor1D = tf.sub(logprobs.policyRejected, referenceRejected);
    const score: Tensor1D = tf.sub(chosen, rejected);
    const x: Tensor1D = tf.mul(score, -0.1);
    const perPair: Tensor1D = tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));
    const rewards = [detached(tf.mul(chosen, 0.1)), detached(tf.mul(rejected, 0.1))] as const;
    return { perPair, score, chosenRewards: rewards[0], rejectedRewards: rewards[1] };
  });
}

/** A loss with nothing wrong. */
export const SOUND: PreferenceLoss = Object.freeze({
  id: 'sound',
  options: Object.freeze({ beta: 0.1 }),
  aggregation: 'sum',
  isReferenceFree: false,
  compute: computeSound,
});

/** The sound loss with something else in a place. */
export const broken = (fault: Partial<PreferenceLoss>): PreferenceLoss => ({ ...SOUND, ...fault });

/** The sound loss with something done to what it says. */
export function altered(
  alter: (losses: PairLosses, logprobs: PairLogprobs) => Partial<PairLosses>,
): () => PreferenceLoss {
  const compute = (logprobs: PairLogprobs): PairLosses =>
    tf.tidy(() => {
      const losses = computeSound(logprobs);
      return { ...losses, ...alter(losses, logprobs) };
    });
  return () => broken({ compute });
}
