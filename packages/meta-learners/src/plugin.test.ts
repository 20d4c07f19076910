import type { MetaBuffer, MetaLearner, MetaLearnerState, PartContext } from '@metaapo/core/contracts';
import { checkPlugin, META_LEARNER } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import plugin, { binned, constant, frozen, isotonic, mlp, sigmoid } from './index.js';

const context: PartContext = { baseDirectory: '.', report: () => undefined, env: {} };

const newBuffer = (): MetaBuffer => ({
  logSigmoidScore: Float32Array.of(-3, -1.5, -0.7, -0.1),
  offlineLoss: Float32Array.of(2, 0.5, 0.7, 0.2),
  onlineLoss: Float32Array.of(0.4, 0.9, 0.7, 0.6),
});

const learners: readonly MetaLearner[] = [
  mlp({ hidden: 12 }),
  frozen(),
  constant({ weight: 0.3 }),
  sigmoid(),
  binned({ bins: 3 }),
  isotonic({ capacity: 32 }),
];

const copyOf = (state: MetaLearnerState): MetaLearnerState => structuredClone(state);

function afterThree(learner: MetaLearner): MetaLearnerState {
  let state = learner.initialState(7);
  for (let step = 0; step < 3; step++) state = learner.update(state, newBuffer()).state;
  return state;
}

describe.each(learners.map((learner) => [learner.id, learner] as const))('meta-learner %s', (id, learner) => {
  it('has the same bits for the same seed', () => {
    expect(learner.initialState(7)).toEqual(learner.initialState(7));
    expect(afterThree(learner)).toEqual(afterThree(learner));
  });

  it('continues from a stored copy of its state as from the state itself', () => {
    const state = afterThree(learner);
    expect(learner.update(copyOf(state), newBuffer())).toEqual(learner.update(state, newBuffer()));
  });

  it('leaves the state and the buffer that it is given unchanged', () => {
    const [state, buffer] = [afterThree(learner), newBuffer()];
    const before = copyOf(state);
    learner.update(state, buffer);
    learner.weights(state, buffer);
    expect(state).toEqual(before);
    expect(buffer).toEqual(newBuffer());
  });

  it('gives float32 weights in [0, 1], one a row, also at extreme scores', () => {
    const scores = { logSigmoidScore: Float32Array.of(-1e4, -50, -1, -1e-30, 0) };
    for (const state of [learner.initialState(0), afterThree(learner)]) {
      const weights = learner.weights(state, scores);
      expect(weights).toBeInstanceOf(Float32Array);
      expect(weights.length).toBe(5);
      expect(weights.every((weight) => weight >= 0 && weight <= 1)).toBe(true);
    }
    expect(learner.weights(learner.initialState(0), { logSigmoidScore: new Float32Array(0) }).length).toBe(0);
  });

  it('reports the objective of the weights before the update', () => {
    const [state, { offlineLoss, onlineLoss, ...rest }] = [afterThree(learner), newBuffer()];
    const terms = [...learner.weights(state, rest)].map((w, at) => w * offlineLoss[at]! + (1 - w) * onlineLoss[at]!);
    const expected = terms.reduce((sum, term) => sum + term, 0) / 4;
    expect(learner.update(state, newBuffer()).loss).toBeCloseTo(expected, 6);
  });

  it.each(['logSigmoidScore', 'offlineLoss', 'onlineLoss'] as const)(
    'stops at a %s that is NaN, naming its row',
    (name) => {
      const buffer = { ...newBuffer(), [name]: newBuffer()[name].with(2, Number.NaN) };
      const state = learner.initialState(0);
      expect(() => learner.update(state, buffer)).toThrowError(expect.objectContaining({ code: 'numerics' }));
      expect(() => learner.update(state, buffer)).toThrow(new RegExp(`${name}.*row 2`));
    },
  );

  it('stops at a buffer without rows or with columns of different lengths', () => {
    const [state, none] = [learner.initialState(0), new Float32Array(0)];
    const numerics = expect.objectContaining({ code: 'numerics' });
    const empty = { logSigmoidScore: none, offlineLoss: none, onlineLoss: none };
    expect(() => learner.update(state, empty)).toThrowError(numerics);
    expect(() => learner.update(state, { ...newBuffer(), onlineLoss: none })).toThrowError(numerics);
  });

  it('refuses a state of another meta-learner', () => {
    const foreign = { stranger: { shape: [1], values: new Float32Array(1) } };
    const checkpoint = expect.objectContaining({ code: 'checkpoint' });
    expect(() => learner.weights(foreign, newBuffer())).toThrowError(checkpoint);
    expect(() => learner.update(foreign, newBuffer())).toThrowError(checkpoint);
  });

  it('has frozen, serialisable options from which the part makes the same learner', async () => {
    expect(Object.isFrozen(learner.options)).toBe(true);
    const part = plugin.parts.find((candidate) => candidate.id === id)!;
    const stored: unknown = JSON.parse(JSON.stringify(learner.options));
    const checked = await part.options['~standard'].validate(stored);
    expect(checked.issues).toBeUndefined();
    const made: MetaLearner = await part.create('value' in checked ? checked.value : undefined, context);
    expect(made.options).toEqual(learner.options);
    expect(afterThree(made)).toEqual(afterThree(learner));
  });

  it('refuses an option that it does not have', () => {
    const part = plugin.parts.find((candidate) => candidate.id === id)!;
    const refused = part.options['~standard'].validate({ updateEvery: 8 });
    expect(refused).toHaveProperty('issues', [expect.objectContaining({ code: 'unrecognized_keys' })]);
  });
});

describe('plugin', () => {
  it('registers all meta-learners under their slot', () => {
    expect(() => checkPlugin(plugin)).not.toThrow();
    expect(plugin.parts.every((part) => part.slot === META_LEARNER)).toBe(true);
    expect(plugin.parts.map((part) => part.id)).toEqual(['mlp', 'frozen', 'constant', 'sigmoid', 'binned', 'isotonic']);
  });

  it('names the part and the option when a factory is given a bad one', () => {
    expect(() => mlp({ learningRate: -1 })).toThrow(/meta-learner mlp learningRate/);
    expect(() => mlp({ adamBetas: [0.9, 1] })).toThrow(/meta-learner mlp adamBetas 1/);
    expect(() => mlp({ features: ['score', 'score'] })).toThrow(/named twice/);
    expect(() => constant({ weight: 2 })).toThrowError(expect.objectContaining({ code: 'config' }));
  });
});
