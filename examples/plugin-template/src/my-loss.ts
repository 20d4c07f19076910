import { MetaapoError, type PairLogprobs, type PreferenceLoss, parseOptions } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';

export const schema = z.strictObject({
  beta: z.number().min(1e-6).max(1000).default(0.1).describe('Larger holds the policy closer to the reference.'),
  offset: z
    .number()
    .min(0)
    .max(1000)
    .default(0.5)
    .describe('Reward by which the chosen response has to lead. Larger asks for more separation.'),
});

/** Options of {@link myLoss}. */
export type MyLossOptions = z.input<typeof schema>;

/**
 * DPO with an offset: a pair counts as right only when its chosen response leads by `offset`.
 *
 *     perPair = softplus(offset - beta h),   h = (log p_c - log r_c) - (log p_j - log r_j)
 *
 * Amini et al. 2024, arXiv 2402.10571, with one offset for all pairs.
 */
export function myLoss(options: MyLossOptions = {}): PreferenceLoss {
  const settings = parseOptions('loss my-loss', schema, options);
  const { beta, offset } = settings;
  return {
    id: 'my-loss',
    options: settings,
    aggregation: 'sum',
    isReferenceFree: false,
    compute: (logprobs) => {
      const [referenceChosen, referenceRejected] = referenceOf(logprobs);
      return tf.tidy(() => {
        const chosen = tf.sub<tf.Tensor1D>(logprobs.policyChosen, referenceChosen);
        const rejected = tf.sub<tf.Tensor1D>(logprobs.policyRejected, referenceRejected);
        const score = tf.sub<tf.Tensor1D>(chosen, rejected);
        return {
          perPair: tf.softplus<tf.Tensor1D>(tf.sub<tf.Tensor1D>(offset, tf.mul(score, beta))),
          score,
          chosenRewards: detached(tf.mul(chosen, beta)),
          rejectedRewards: detached(tf.mul(rejected, beta)),
        };
      });
    },
  };
}

function referenceOf({ referenceChosen, referenceRejected }: PairLogprobs): readonly [tf.Tensor1D, tf.Tensor1D] {
  if (referenceChosen !== undefined && referenceRejected !== undefined) return [referenceChosen, referenceRejected];
  throw new MetaapoError('config', 'it needs log-probabilities of a reference', { where: 'loss my-loss' });
}

/** The same values, through which no gradient flows. */
function detached(values: tf.Tensor): tf.Tensor1D {
  const stop = tf.customGrad((input) => ({
    value: tf.clone(input as tf.Tensor),
    gradFunc: (upstream: tf.Tensor) => tf.zerosLike(upstream),
  }));
  return stop(values) as tf.Tensor1D;
}
