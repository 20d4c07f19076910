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

/**
 * `[B]` float32 each: mean log-probabilities a token under the policy, of a loss over sums.
 * @throws MetaapoError with code `config` when the numbers of tokens are missing
 */
export function meanLogprobs(logprobs: PairLogprobs, lossId: string, reason: string): LogRatios {
  const { policyChosen, policyRejected, chosenTokens, rejectedTokens } = logprobs;
  if (chosenTokens === undefined || rejectedTokens === undefined) {
    throw new MetaapoError('config', `the numbers of response tokens are missing: ${reason}`, {
      where: `loss ${lossId}`,
      expected: 'chosenTokens and rejectedTokens, [B] each',
      remedy: 'Give them beside the log-probabilities, as the trainer does',
    });
  }
  return { chosen: tf.div(policyChosen, chosenTokens), rejected: tf.div(policyRejected, rejectedTokens) };
}

/**
 * `[B]` float32: a loss over sums plus `weight` times the negative log-likelihood a token of the chosen response.
 * @throws MetaapoError with code `config` when it counts and the numbers of tokens are missing
 */
export function withTokenNll(loss: Tensor1D, logprobs: PairLogprobs, weight: number, lossId: string): Tensor1D {
  if (weight === 0) return loss;
  const { chosen } = meanLogprobs(logprobs, lossId, 'nllWeight weighs the likelihood a token');
  return tf.sub(loss, tf.mul(chosen, weight));
}
