import type { LossState, PairArrays } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logisticLoss, logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';
import { detached } from './stable-ops.js';

/** Running mean of the rewards of earlier batches, two a pair. */
const INITIAL_STATE: LossState = Object.freeze({ count: 0, mean: 0 });

const schema = z.strictObject({
  beta: betaOption({ default: 0.01, usual: [0.005, 0.5], defaultFrom: 'paper, section C' }),
});

/** Options of {@link bco}. */
export type BcoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link bco}. */
export const bcoEntry = defineLoss({
  id: 'bco',
  summary: 'Trains a classifier that tells chosen from rejected responses one by one, about a running mean reward.',
  gradient: 'Each side on its own: beta * sigmoid of how far its reward is on the wrong side of the mean d.',
  use: 'The absolute level of rewards matters, or chosen and rejected are only loosely paired.',
  trl: 'DPOTrainer `bco_pair`; BCOTrainer for responses without partners',
  formula: 'softplus(-(beta * r_c - d)) + softplus(beta * r_j - d), d = running mean of all rewards, detached',
  publications: [
    {
      authors: 'Jung et al.',
      title: 'Binary Classifier Optimization for Large Language Model Alignment',
      year: 2024,
      arxiv: '2404.04656',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  couplesPairs: true,
  options: schema,
  memory: { initialState: INITIAL_STATE, nextState },
  evaluate: (logprobs, { beta }, state) => {
    const ratios = logRatios(logprobs, 'bco');
    const rewards = scaledRewards(ratios, beta);
    const shift = rewardShift(rewards.chosenRewards, rewards.rejectedRewards, state ?? INITIAL_STATE);
    const chosenLoss = logisticLoss(tf.sub(rewards.chosenRewards, shift));
    const rejectedLoss = logisticLoss(tf.sub(shift, rewards.rejectedRewards));
    return { perPair: tf.add(chosenLoss, rejectedLoss), score: margin(ratios), ...rewards };
  },
});

function nextState(
  { count = 0, mean = 0 }: LossState,
  { beta }: z.output<typeof schema>,
  logprobs: PairArrays,
): LossState {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = logprobs;
  const difference = (policy: Float32Array, reference: Float32Array = new Float32Array(policy.length)): number =>
    policy.reduce((sum, value, index) => sum + value - reference[index]!, 0);
  const total = count + policyChosen.length + policyRejected.length;
  if (total === 0) return INITIAL_STATE;
  const sum = difference(policyChosen, referenceChosen) + difference(policyRejected, referenceRejected);
  return { count: total, mean: (mean * count + beta * sum) / total };
}

/** Mean of earlier rewards and this batch's, a detached scalar. */
function rewardShift(chosenRewards: Tensor1D, rejectedRewards: Tensor1D, state: LossState): tf.Scalar {
  const { count = 0, mean = 0 } = state;
  const batch = detached(tf.concat1d([detached(chosenRewards), detached(rejectedRewards)]));
  const total = count + batch.size;
  return tf.add(tf.mul(tf.mean(batch), batch.size / total), (mean * count) / total);
}

/**
 * Binary classifier optimisation on pairs: two logistic losses, chosen against rejected, with the rewards shifted by
 * their running mean d, so that a classifier of single responses bounds DPO's loss.
 *
 *     perPair = -log sigmoid(beta r_c - d) - log sigmoid(-(beta r_j - d))
 *
 * d: mean of all rewards of earlier batches (the state) and of this one, detached. `compute(logprobs)` without a state
 * uses this batch alone; `compute(logprobs, state)` followed by `nextState` keeps the running mean, as the trainer does. Two log 2 when all
 * log-ratios are zero. `score` is r_c - r_j.
 * Differs from common implementations: the running mean weights batches by their pairs, and the density-ratio
 * correction for differing prompt distributions is left out.
 *
 * Jung et al. 2024, arXiv 2404.04656.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function bco(options: BcoOptions = {}): CatalogueLoss {
  return bcoEntry.create(options);
}
