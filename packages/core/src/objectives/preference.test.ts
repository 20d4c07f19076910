import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import type {
  MetaLearner,
  PairLogprobs,
  PreferenceLoss,
  TokenizedPreference,
  TrainableModel,
} from '../contracts/index.js';
import { policyPasses } from '../trainer/index.js';
import { preference, reward } from './preference.js';

beforeAll(() => tf.setBackend('cpu'));

const ids = (length: number): Int32Array => new Int32Array(length);
const row = (chosen: number, rejected: number, online?: number): TokenizedPreference => ({
  row: 0,
  prompt: ids(2),
  chosen: ids(chosen),
  rejected: ids(rejected),
  ...(online && { online: [{ chosen: ids(online), rejected: ids(online) }] }),
});
const rows = [row(3, 5), row(4, 2)];

/** A loss that needs a reference and keeps what it is given. */
function recordingLoss(change: Partial<PreferenceLoss> = {}) {
  const seen: (readonly number[])[] = [];
  const compute = ({ policyChosen, policyRejected, chosenTokens, rejectedTokens }: PairLogprobs) => {
    seen.push([...chosenTokens!.dataSync(), ...rejectedTokens!.dataSync()]);
    const score = policyChosen.sub(policyRejected) as tf.Tensor1D;
    const [chosenRewards, rejectedRewards] = [tf.zerosLike(score), tf.zerosLike(score)];
    return { perPair: tf.softplus(score.neg()) as tf.Tensor1D, score, chosenRewards, rejectedRewards };
  };
  const loss = {
    id: 'recording',
    options: {},
    aggregation: 'sum',
    isReferenceFree: false,
    compute,
    ...change,
  } as const;
  return { loss: loss as PreferenceLoss, seen };
}

const model = {
  forward: async () => ({
    id: 0,
    sumLogprobs: Float32Array.of(-3, -5, -4, -2),
    tokenCounts: Int32Array.of(3, 5, 4, 2),
  }),
  backward: async () => undefined,
} as unknown as TrainableModel;
const reference = rows.map(() => Float32Array.of(-1, -1));
const common = { rows, passes: policyPasses(model, 100) };

it('refuses a loss that needs a reference where there is none, for training and held-out rows', () => {
  const { loss } = recordingLoss();
  expect(() => preference({ loss }).open(common)).toThrow(/loss recording: it needs a reference.*training rows/s);
  expect(() => preference({ loss }).open({ ...common, reference, heldOut: { rows } })).toThrow(/held-out rows/);
  expect(() => preference(recordingLoss({ isReferenceFree: true })).open(common)).not.toThrow();
});

it('refuses a loss of rewards for a policy, and one of log-probabilities for a reward model', () => {
  const rewards = recordingLoss({ reads: 'rewards', isReferenceFree: true });
  const logprobs = recordingLoss({ isReferenceFree: true });
  expect(() => preference(rewards)).toThrow(/compares rewards.*gives log-probabilities.*dpo/s);
  expect(() => reward(logprobs)).toThrow(/bradley-terry/);
  expect(() => reward(rewards).open(common)).not.toThrow();
});

it('gives the loss the number of tokens of every response', async () => {
  const { loss, seen } = recordingLoss();
  const part = preference({ loss });
  const objective = part.open({ ...common, reference });
  const { metrics } = await objective.accumulate(Int32Array.of(0, 1), part.initialState(0), 'step 1');
  expect(seen[0]).toEqual([3, 4, 5, 2]);
  // ((-3 + 1) / 3 + (-4 + 1) / 4) / 2
  expect(metrics['logps/chosen_change']).toBeCloseTo(-17 / 24, 6);
});

it('weighs by a meta-learner that keeps no arrays', () => {
  const learner: MetaLearner = {
    id: 'half',
    options: {},
    initialState: () => ({}),
    weights: (state, { logSigmoidScore }) =>
      logSigmoidScore.map(() => (Object.keys(state).length === 0 ? 0.5 : Number.NaN)),
    update: (state) => ({ state, loss: 0 }),
  };
  const objective = preference({ loss: recordingLoss().loss, metaLearner: { learner, updateEvery: 2 } });
  const state = objective.initialState(0);
  const weights = objective.scoring!.weights!(state, { logSigmoidScore: Float32Array.of(-1, -2) });
  expect([...weights]).toEqual([0.5, 0.5]);
  expect(objective.filesOf!(state)).toEqual({});
});
