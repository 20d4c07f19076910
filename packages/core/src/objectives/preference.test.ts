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

/** Weighs by what it is shown, and notes it; an update counts. */
function showing() {
  const shown: number[][] = [];
  const updates: number[] = [];
  const learner: MetaLearner = {
    id: 'showing',
    options: {},
    initialState: () => ({}),
    weights(_, { logSigmoidScore }) {
      shown.push([...logSigmoidScore]);
      return logSigmoidScore.map(Math.exp);
    },
    update(state, { logSigmoidScore }) {
      updates.push(logSigmoidScore.length);
      return { state, loss: 0 };
    },
  };
  return { learner, shown, updates };
}

const paired = [row(3, 5, 2), row(4, 2, 1)];
const fourModel = {
  forward: async () => ({
    id: 0,
    sumLogprobs: Float32Array.of(-3, -5, -1, -2, -4, -2, -2, -1),
    tokenCounts: Int32Array.of(3, 5, 2, 2, 4, 2, 1, 1),
  }),
  backward: async () => undefined,
} as unknown as TrainableModel;
const weighed = { rows: paired, passes: policyPasses(fourModel, 100) };

it('weighs by the logit where that is wanted, and shows the meta step the score all the same', async () => {
  const { loss } = recordingLoss({ isReferenceFree: true, scoreScale: 2 });
  for (const [weightFrom, scale] of [[undefined, 1] as const, ['score', 1] as const, ['logit', 2] as const]) {
    const { learner, shown } = showing();
    let buffered: readonly number[] = [];
    const watching = {
      ...learner,
      update: (state: object, { logSigmoidScore }: { logSigmoidScore: Float32Array }) => {
        buffered = [...logSigmoidScore];
        return { state: state as Record<string, never>, loss: 0 };
      },
    };
    const part = preference({ loss, metaLearner: { learner: watching, updateEvery: 1, weightFrom } });
    const outcome = await part.open(weighed).accumulate(Int32Array.of(0, 1), part.initialState(0), 'step 1');
    const expected = [2, -2].map((score) => -Math.log1p(Math.exp(-score / scale)));
    for (const [at, value] of expected.entries()) {
      expect(shown[0]![at]).toBeCloseTo(value, 6);
      expect(outcome.weights![at]).toBeCloseTo(Math.exp(value), 6);
    }
    outcome.afterStep!(1);
    expect(buffered[0]).toBeCloseTo(-Math.log1p(Math.exp(-2)), 6);
  }
});

it('updates in every so manyth step, counted on over iterations or anew in each, without what is left over', async () => {
  const { loss } = recordingLoss({ isReferenceFree: true });
  const updatesWith = async (leftover: 'carry' | 'discard' | undefined): Promise<readonly number[]> => {
    const { learner, updates } = showing();
    const part = preference({ loss, metaLearner: { learner, updateEvery: 2, leftover } });
    let state = part.initialState(0);
    for (const steps of [3, 3]) {
      state = part.beginIteration?.(state) ?? state;
      // The number of the optimizer's step says nothing: it may begin anew.
      for (let step = 0; step < steps; step++) {
        const outcome = await part.open(weighed).accumulate(Int32Array.of(0, 1), state, 'a step');
        state = outcome.afterStep!(1).state;
      }
    }
    expect(part.metaUpdates!([3, 3])).toBe(updates.length);
    return updates;
  };
  expect(await updatesWith(undefined)).toEqual([4, 4, 4]);
  expect(await updatesWith('carry')).toEqual([4, 4, 4]);
  expect(await updatesWith('discard')).toEqual([4, 4]);
});

it('says how many updates to expect, and nothing where none changes anything', () => {
  const { loss } = recordingLoss({ isReferenceFree: true });
  const { learner } = showing();
  const part = (more: object) => preference({ loss, metaLearner: { learner, updateEvery: 16, ...more } });
  expect(part({}).metaUpdates!([92, 92, 92])).toBe(17);
  expect(part({ leftover: 'discard' }).metaUpdates!([92, 92, 92])).toBe(15);
  expect(part({}).metaUpdates!([15])).toBe(0);
  expect(part({ learner: { ...learner, isFixed: true } }).metaUpdates).toBeUndefined();
  expect(preference({ loss }).metaUpdates).toBeUndefined();
});
