import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { detached } from './stable-ops.js';

/** Options of KTO's loss of one response. */
export interface KtoWeights {
  readonly beta: number;
  /** lambda_D: weight of desirable responses. */
  readonly desirableWeight: number;
  /** lambda_U: weight of undesirable responses. */
  readonly undesirableWeight: number;
}

/** Log-probabilities of N labelled responses, and of M mismatched ones that estimate the divergence. */
export interface UnpairedLogprobs {
  /** `[N]` float32: summed log-probability of each response under the policy. */
  readonly policy: Tensor1D;
  /** `[N]` float32: the same under the reference. */
  readonly reference: Tensor1D;
  /** `[N]` float32: 1 where the response is desirable, 0 where not. */
  readonly isDesirable: Tensor1D;
  /** `[M]` float32: log-probabilities under the policy of prompts with the response of another prompt. */
  readonly mismatchedPolicy: Tensor1D;
  /** `[M]` float32: the same under the reference. */
  readonly mismatchedReference: Tensor1D;
}

/** What KTO says of N responses; every tensor is `[N]` float32 and owned by the caller. */
export interface UnpairedLosses {
  /** Unreduced loss, differentiable with respect to `policy`. */
  readonly perResponse: Tensor1D;
  /** beta times the log-ratio, detached. */
  readonly rewards: Tensor1D;
}

/**
 * KTO on responses without partners, as the paper has it.
 *
 *     perResponse = lambda_y * (1 - sigmoid(s * beta * (r - z0))),   s = +1 desirable, -1 undesirable
 *
 * z0 = max(0, mean of log-ratios of the mismatched responses), detached: the estimate of KL(policy || reference).
 * Ethayarajh et al. 2024, arXiv 2402.01306.
 */
export function unpairedKto(logprobs: UnpairedLogprobs, weights: KtoWeights): UnpairedLosses {
  return tf.tidy(() => {
    const ratio: Tensor1D = tf.sub(logprobs.policy, logprobs.reference);
    const baseline = divergenceEstimate(tf.sub(logprobs.mismatchedPolicy, logprobs.mismatchedReference));
    const desirable = prospectLoss(ratio, baseline, 'desirable', weights);
    const undesirable = prospectLoss(ratio, baseline, 'undesirable', weights);
    return {
      perResponse: tf.add(
        tf.mul(logprobs.isDesirable, desirable),
        tf.mul(tf.sub(1, logprobs.isDesirable), undesirable),
      ) as Tensor1D,
      rewards: detached(tf.mul(ratio, weights.beta)),
    };
  });
}

/** max(0, mean log-ratio), a detached scalar: the reference point z0 of {@link prospectLoss}. */
export function divergenceEstimate(logRatios: Tensor1D): Scalar {
  return tf.relu<Scalar>(tf.mean<Scalar>(detached(logRatios)));
}

/** lambda * sigmoid(-s * beta * (r - z0)), `[N]` float32: the loss of a response against the reference point. */
export function prospectLoss(
  logRatio: Tensor1D,
  referencePoint: Scalar,
  label: 'desirable' | 'undesirable',
  { beta, desirableWeight, undesirableWeight }: KtoWeights,
): Tensor1D {
  const gain = tf.mul(tf.sub(logRatio, referencePoint), beta);
  return label === 'desirable'
    ? tf.mul(tf.sigmoid(tf.neg(gain)), desirableWeight)
    : tf.mul(tf.sigmoid(gain), undesirableWeight);
}
