import { MetaapoError, parseOptions } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { divergenceEstimate, type KtoOptions, ktoSchema, prospectLoss } from './prospect-loss.js';
import { detached } from './stable-ops.js';

/** Log-probabilities of N labelled responses, and of M >= 1 mismatched ones that estimate the divergence; borrowed. */
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
 *     perResponse = lambda_y * (1 - sigmoid(s * beta * (r - z))),   s = +1 desirable, -1 undesirable
 *
 * r: log p - log r, sums over tokens; z = max(0, mean r of the mismatched responses), detached: the estimate of
 * KL(policy || reference). One half of its weight where r = z. Options and defaults are those of `kto`; where
 * one label is rarer, weights inverse to the counts balance them.
 *
 * Ethayarajh et al. 2024, arXiv 2402.01306, equations 7 and 8.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds, for tensors whose shapes do
 * not fit, for labels other than 0 and 1, and when there is no mismatched response
 */
export function unpairedKto(logprobs: UnpairedLogprobs, options: KtoOptions = {}): UnpairedLosses {
  const settings = parseOptions('loss unpaired-kto', ktoSchema, options);
  checkInputs(logprobs);
  return tf.tidy(() => {
    const ratio: Tensor1D = tf.sub(logprobs.policy, logprobs.reference);
    const baseline = divergenceEstimate(tf.sub(logprobs.mismatchedPolicy, logprobs.mismatchedReference));
    const desirable = prospectLoss(ratio, baseline, 'desirable', settings);
    const undesirable = prospectLoss(ratio, baseline, 'undesirable', settings);
    return {
      perResponse: tf.add(
        tf.mul(logprobs.isDesirable, desirable),
        tf.mul(tf.sub(1, logprobs.isDesirable), undesirable),
      ) as Tensor1D,
      rewards: detached(tf.mul(ratio, settings.beta)),
    };
  });
}

function checkInputs(logprobs: UnpairedLogprobs): void {
  const { policy, mismatchedPolicy, isDesirable } = logprobs;
  for (const name of ['policy', 'reference', 'isDesirable'] as const) checkSize(name, logprobs[name], policy.size);
  for (const name of ['mismatchedPolicy', 'mismatchedReference'] as const) {
    checkSize(name, logprobs[name], Math.max(1, mismatchedPolicy.size));
  }
  const wrong = isDesirable.dataSync().find((label) => label !== 0 && label !== 1);
  if (wrong !== undefined)
    refuse('isDesirable holds another label', '1 for desirable and 0 for undesirable', `${wrong}`);
}

function checkSize(name: string, { rank, size, shape }: Tensor1D, expected: number): void {
  if (rank === 1 && size === expected) return;
  refuse(`${name} has the wrong shape`, `[${expected}]`, `[${shape.join(', ')}]`);
}

function refuse(summary: string, expected: string, got: string): never {
  throw new MetaapoError('config', summary, { where: 'loss unpaired-kto', expected, got });
}
