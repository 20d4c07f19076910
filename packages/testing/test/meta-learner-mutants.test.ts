import { MetaapoError, type MetaLearner, type MetaLearnerState } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeMetaLearner } from '../src/index.js';
import { faultsOf } from './faults.js';

/** One bias b, w = sigmoid(b + score): a meta-learner with nothing wrong. */
const SOUND: MetaLearner = {
  id: 'sound',
  options: Object.freeze({ learningRate: 0.1 }),
  initialState: (seed) => ({ bias: { shape: [1], values: Float32Array.of(seed / 100) } }),
  weights: (state, { logSigmoidScore }) => logSigmoidScore.map((score) => 1 / (1 + Math.exp(-biasOf(state) - score))),
  update(state, buffer) {
    const { offlineLoss, onlineLoss } = buffer;
    for (const loss of [...offlineLoss, ...onlineLoss]) {
      if (!Number.isFinite(loss)) throw new MetaapoError('numerics', 'a loss is not finite', { where: 'sound' });
    }
    if (offlineLoss.length === 0) return { state, loss: 0 };
    const weights = this.weights(state, buffer);
    const mean = (value: (row: number) => number): number =>
      weights.reduce((sum, _, row) => sum + value(row), 0) / weights.length;
    const slope = mean((row) => weights[row]! * (1 - weights[row]!) * (offlineLoss[row]! - onlineLoss[row]!));
    const loss = mean((row) => weights[row]! * offlineLoss[row]! + (1 - weights[row]!) * onlineLoss[row]!);
    return { state: stateOf(biasOf(state) - 0.1 * slope), loss };
  },
};

const stateOf = (bias: number): MetaLearnerState => ({ bias: { shape: [1], values: Float32Array.of(bias) } });

function biasOf(state: MetaLearnerState): number {
  const bias = state.bias?.values[0];
  if (bias === undefined)
    throw new MetaapoError('checkpoint', 'the state has no bias', { where: 'meta-learner sound' });
  return bias;
}

const broken =
  (fault: Partial<MetaLearner>): (() => MetaLearner) =>
  () => ({ ...SOUND, ...fault });

/** Remembers the number of updates outside of its state. */
function secretive(): MetaLearner {
  let updates = 0;
  return {
    ...SOUND,
    update: (state, buffer) => {
      updates += 1;
      const update = SOUND.update(state, buffer);
      return { ...update, state: stateOf(biasOf(update.state) + updates / 10) };
    },
  };
}

const MUTANTS: readonly (readonly [name: string, create: () => MetaLearner, fault: RegExp])[] = [
  ['an id with capitals', broken({ id: 'Sound' }), /id is not kebab-case/],
  [
    'a first state that ignores its seed',
    broken({ initialState: () => stateOf(Math.random()) }),
    /another bias for the same seed/,
  ],
  [
    'a first state that is shared',
    (() => {
      const shared = stateOf(0.5);
      return broken({ initialState: () => shared });
    })(),
    /same array bias twice/,
  ],
  [
    'a state that does not fill its shape',
    broken({ initialState: () => ({ bias: { shape: [2], values: Float32Array.of(1) } }) }),
    /1 values for the shape \[2\]/,
  ],
  [
    'weights above 1',
    broken({ weights: (state, rows) => SOUND.weights(state, rows).map((w) => w * 2) }),
    /expected a number from 0 to 1/,
  ],
  [
    'weights for one row too few',
    broken({ weights: (state, rows) => SOUND.weights(state, rows).slice(1) }),
    /gives \d+ weights for \d+ rows/,
  ],
  [
    'weights relative to the batch',
    broken({
      weights: (state, rows) => {
        const weights = SOUND.weights(state, rows);
        return weights.map((weight, row) => (row === 0 ? weight / 2 : weight));
      },
    }),
    /depends on the order of the rows/,
  ],
  [
    'entropies that it does not declare',
    broken({
      weights: (state, rows) =>
        SOUND.weights(state, rows).map((weight, row) => weight / (1 + (rows.chosenEntropy?.[row] ?? 0))),
    }),
    /does not declare readsEntropy/,
  ],
  [
    'an update of its input',
    broken({
      update: (state, buffer) => {
        const { loss, state: next } = SOUND.update(state, buffer);
        state.bias?.values.set(next.bias!.values);
        return { loss, state: next };
      },
    }),
    /changes bias of the state it was given/,
  ],
  ['a memory outside of its state', secretive, /another bias/],
  [
    'a loss after the update',
    broken({
      update: (state, buffer) => {
        const { state: next } = SOUND.update(state, buffer);
        return { state: next, loss: SOUND.update(next, buffer).loss + 0.1 };
      },
    }),
    /update reports the loss/,
  ],
  [
    'a state of anyone that is taken',
    broken({
      weights: (state, rows) =>
        state.bias ? SOUND.weights(state, rows) : new Float32Array(rows.logSigmoidScore.length),
    }),
    /accepts a state of another meta-learner/,
  ],
  [
    'a loss NaN that is taken',
    broken({
      update: (state, buffer) => ({
        state,
        loss: 0,
        ...(Number.isNaN(buffer.offlineLoss[2]) ? {} : SOUND.update(state, buffer)),
      }),
    }),
    /accepts offlineLoss NaN/,
  ],
  [
    'updates uphill',
    broken({
      update: (state, buffer) => {
        const { state: next, loss } = SOUND.update(state, buffer);
        return { loss, state: stateOf(2 * biasOf(state) - biasOf(next)) };
      },
    }),
    /updates do not move weights/,
  ],
];

describe('the kit for meta-learners', () => {
  it('passes a sound meta-learner', async () => {
    expect(await faultsOf((test) => describeMetaLearner(test, () => SOUND))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeMetaLearner(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
