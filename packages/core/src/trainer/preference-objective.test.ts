import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import type { PairLogprobs, PreferenceLoss, TokenizedPreference, TrainableModel } from '../contracts/index.js';
import { preferenceObjective } from './preference-objective.js';
import { initialTrainerState } from './trainer-state.js';

beforeAll(() => tf.setBackend('cpu'));

const ids = (length: number): Int32Array => new Int32Array(length);
const row = (chosen: number, rejected: number, online?: number): TokenizedPreference => ({
  row: 0,
  prompt: ids(2),
  chosen: ids(chosen),
  rejected: ids(rejected),
  ...(online && { onlineChosen: ids(online), onlineRejected: ids(online) }),
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
const common = { model, rows, microBatchTokens: 100 };

it('refuses a loss that needs a reference where there is none, for training and held-out rows', () => {
  const { loss } = recordingLoss();
  expect(() => preferenceObjective({ ...common, loss })).toThrow(
    /loss recording: it needs a reference.*training rows/s,
  );
  expect(() => preferenceObjective({ ...common, loss, reference }, { rows })).toThrow(/held-out rows/);
  expect(() => preferenceObjective({ ...common, ...recordingLoss({ isReferenceFree: true }) })).not.toThrow();
});

it('refuses a loss of rewards for a policy, and one of log-probabilities for a reward model', () => {
  const rewards = recordingLoss({ reads: 'rewards', isReferenceFree: true });
  const logprobs = recordingLoss({ isReferenceFree: true });
  expect(() => preferenceObjective({ ...common, ...rewards })).toThrow(
    /compares rewards.*gives log-probabilities.*dpo/s,
  );
  expect(() => preferenceObjective({ ...common, ...logprobs, modelGives: 'rewards' })).toThrow(/bradley-terry/);
  expect(() => preferenceObjective({ ...common, ...rewards, modelGives: 'rewards' })).not.toThrow();
});

it('gives the loss the number of tokens of every response', async () => {
  const { loss, seen } = recordingLoss();
  const objective = preferenceObjective({ ...common, loss, reference });
  const { metrics } = await objective.accumulate(Int32Array.of(0, 1), initialTrainerState(), 'step 1');
  expect(seen[0]).toEqual([3, 4, 5, 2]);
  // ((-3 + 1) / 3 + (-4 + 1) / 4) / 2
  expect(metrics['logps/chosen_change']).toBeCloseTo(-17 / 24, 6);
});
