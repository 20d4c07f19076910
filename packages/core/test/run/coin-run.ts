import * as tf from '@tensorflow/tfjs';
import type {
  AnnotationRule,
  MetaLearner,
  Objective,
  PairRule,
  PreferenceLoss,
  ResponseSampler,
  RewardModel,
  SelectionRule,
  TokenizedPreference,
} from '../../src/contracts/index.js';
import { preference } from '../../src/objectives/index.js';
import type { RunOptions } from '../../src/run/run-options.js';
import { type CoinPolicy, HEADS, TAILS } from './coin-policy.js';

/** -log sigmoid(log p(chosen) - log p(rejected)), without a reference. */
const loss: PreferenceLoss = {
  id: 'coin-loss',
  options: {},
  aggregation: 'sum',
  isReferenceFree: true,
  compute({ policyChosen, policyRejected }) {
    const score = policyChosen.sub(policyRejected) as tf.Tensor1D;
    const [chosenRewards, rejectedRewards] = [tf.zerosLike(score), tf.zerosLike(score)];
    return { perPair: tf.softplus(score.neg()), score, chosenRewards, rejectedRewards };
  },
};

/** Gives every pair the weight 0.5. */
export const metaLearner: MetaLearner = {
  id: 'half',
  options: {},
  initialState: () => ({}),
  weights: (_, { logSigmoidScore }) => new Float32Array(logSigmoidScore.length).fill(0.5),
  update: (state) => ({ state, loss: 0 }),
};

/** Preferences with the loss of the coin, weighed by a half or by another meta-learner. */
export function coinObjective(
  learner: MetaLearner = metaLearner,
  updateEvery = 100,
  unselected: 'keep' | 'drop' = 'keep',
): Objective<'preference'> {
  return preference({ loss, metaLearner: { learner, updateEvery }, unselected });
}

const selection: SelectionRule = {
  id: 'every',
  options: {},
  readsScores: false,
  select: ({ rows, limit }) => rows.map((_, index) => index).slice(0, limit),
};

const annotation: AnnotationRule = {
  id: 'every',
  options: {},
  next: ({ responses }) => responses.flatMap(({ reward }, response) => (reward === undefined ? [{ response }] : [])),
};

const pairs: PairRule = {
  id: 'first-and-last',
  options: {},
  pair(responses) {
    const sorted = [...responses].sort((a, b) => b.reward - a.reward);
    return { chosen: sorted[0]!, rejected: sorted.at(-1)! };
  },
};

/** The number of heads. */
const rewardModel: RewardModel = {
  id: 'heads',
  options: {},
  fingerprint: 'heads',
  score: async (requests) => Float32Array.from(requests, ({ response }) => response.split('1').length - 1),
};

const row = (number: number): TokenizedPreference => ({
  row: number,
  prompt: Int32Array.of(number),
  chosen: Int32Array.of(HEADS, HEADS, TAILS),
  rejected: Int32Array.of(TAILS, TAILS, HEADS),
});

const promptOf = ({ row: number }: TokenizedPreference) => ({ text: `throw ${number}` });

/** A run of three iterations over twelve rows that trains a coin to fall on heads. */
export function coinRun(output: string, policy: CoinPolicy, sampler: ResponseSampler): RunOptions {
  return {
    output,
    parts: { objective: coinObjective(), selection, sampler, rewardModel, annotation, pairs },
    policy,
    openReference: () => Promise.reject(new Error('there is no reference')),
    startsAsReference: false,
    referencePolicy: 'fixed',
    rows: Array.from({ length: 12 }, (_, number) => row(number)),
    promptOf,
    iterations: 3,
    responsesPerPrompt: 2,
    truncated: 'keep',
    batchSize: 2,
    epochs: 1,
    shuffle: false,
    seed: 1,
    scheduleOf: (totalSteps) => ({ kind: 'constant', peak: 0.2, warmupSteps: 0, totalSteps, minRatio: 0 }),
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 },
    microBatchTokens: 1000,
    key: { recipe: 'coin', data: 'coin' },
    observer: {},
  };
}
