import type { PairLogprobs } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';

/** One value for the chosen and one for the rejected response of each pair, each `[B]` float32: log-ratios, as a rule. */
export interface LogRatios {
  /** r_c = log p(chosen) - log r(chosen). */
  readonly chosen: Tensor1D;
  /** r_j = log p(rejected) - log r(rejected). */
  readonly rejected: Tensor1D;
}

/**
 * Log-ratios of policy to reference for both responses of each pair.
 * @throws MetaapoError with code `config` when the reference is missing.
 */
export function logRatios(logprobs: PairLogprobs, lossId: string): LogRatios {
  const reference = referenceLogprobs(logprobs, lossId);
  return {
    chosen: tf.sub(logprobs.policyChosen, reference.chosen),
    rejected: tf.sub(logprobs.policyRejected, reference.rejected),
  };
}

/**
 * The reference's log-probabilities alone.
 * @throws MetaapoError with code `config` when they are missing.
 */
export function referenceLogprobs(logprobs: PairLogprobs, lossId: string): LogRatios {
  const { referenceChosen, referenceRejected } = logprobs;
  if (referenceChosen === undefined || referenceRejected === undefined) {
    const missing = [referenceChosen ?? 'referenceChosen', referenceRejected ?? 'referenceRejected'];
    throw new MetaapoError('config', 'the reference log-probabilities are missing', {
      where: `loss ${lossId}`,
      expected: 'referenceChosen and referenceRejected',
      got: `no ${missing.filter((name) => typeof name === 'string').join(' and no ')}`,
      remedy: 'Give the run a reference model, or choose a reference-free loss such as simpo',
    });
  }
  return { chosen: referenceChosen, rejected: referenceRejected };
}

/** The policy's own log-probabilities in the place of log-ratios: what a reference-free loss compares. */
export function policyLogprobs(logprobs: PairLogprobs): LogRatios {
  return { chosen: logprobs.policyChosen, rejected: logprobs.policyRejected };
}

/** Margin h = r_c - r_j, `[B]` float32: how much more the policy has moved towards the chosen response. */
export function margin(ratios: LogRatios): Tensor1D {
  return tf.sub(ratios.chosen, ratios.rejected);
}

/** Implicit rewards beta * r of both responses, each `[B]` float32, still attached to the policy. */
export function scaledRewards(
  ratios: LogRatios,
  beta: number,
): { readonly chosenRewards: Tensor1D; readonly rejectedRewards: Tensor1D } {
  return { chosenRewards: tf.mul(ratios.chosen, beta), rejectedRewards: tf.mul(ratios.rejected, beta) };
}

/** -log sigmoid(z) = softplus(-z), `[B]` float32: the logistic loss of a logit z. */
export function logisticLoss(logits: Tensor1D): Tensor1D {
  return tf.softplus(tf.neg(logits));
}

/** (1 - e) * -log sigmoid(z) + e * -log sigmoid(-z), `[B]` float32: logistic loss of labels wrong with probability e. */
export function smoothedLogisticLoss(logits: Tensor1D, labelSmoothing: number): Tensor1D {
  if (labelSmoothing === 0) return logisticLoss(logits);
  return tf.add(tf.mul(logisticLoss(logits), 1 - labelSmoothing), tf.mul(tf.softplus(logits), labelSmoothing));
}

/** `[B]` float32: a loss plus `weight` times the negative log-likelihood -log p(chosen), summed or mean as it was given. */
export function withNegativeLogLikelihood(loss: Tensor1D, policyChosen: Tensor1D, weight: number): Tensor1D {
  return weight === 0 ? loss : tf.sub(loss, tf.mul(policyChosen, weight));
}
