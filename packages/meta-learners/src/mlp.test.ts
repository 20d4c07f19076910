import { readFile } from 'node:fs/promises';
import type { MetaBuffer, MetaLearnerState } from '@metaapo/core/contracts';
import { beforeAll, describe, expect, it } from 'vitest';
import { frozen, type MlpOptions, mlp } from './index.js';
import { mlpGradient, mlpWeights, parameterShapes } from './mlp-network.js';
import { initialParameters, parameterArrays, readMlpState } from './mlp-state.js';

interface RecordedBuffer {
  readonly logSigmoidScore: number[];
  readonly chosenTokens: number[];
  readonly rejectedTokens: number[];
  readonly chosenEntropy: number[];
  readonly rejectedEntropy: number[];
  readonly iteration: number;
  readonly offlineLoss: number[];
  readonly onlineLoss: number[];
}

interface RecordedCase {
  readonly name: string;
  readonly options: MlpOptions & { readonly hidden: number | readonly number[] };
  readonly start: Readonly<Record<string, number[]>>;
  readonly updates: readonly {
    readonly buffer: RecordedBuffer;
    readonly weights: number[];
    readonly loss: number;
    readonly parameters?: Readonly<Record<string, number[]>>;
    readonly probes?: number[];
  }[];
}

const bufferOf = (recorded: RecordedBuffer): MetaBuffer => ({
  logSigmoidScore: Float32Array.from(recorded.logSigmoidScore),
  chosenTokens: Int32Array.from(recorded.chosenTokens),
  rejectedTokens: Int32Array.from(recorded.rejectedTokens),
  chosenEntropy: Float32Array.from(recorded.chosenEntropy),
  rejectedEntropy: Float32Array.from(recorded.rejectedEntropy),
  iteration: recorded.iteration,
  offlineLoss: Float32Array.from(recorded.offlineLoss),
  onlineLoss: Float32Array.from(recorded.onlineLoss),
});

/** Largest difference of two lists of one length. */
function farthest(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  return Math.max(...Array.from(actual, (value, at) => Math.abs(value - expected[at]!)));
}

const scores = (...values: number[]) => ({ logSigmoidScore: Float32Array.from(values) });
const logSigmoid = (s: number): number => -Math.log1p(Math.exp(-s));

const buffer: MetaBuffer = {
  ...scores(-3, -1.5, -0.7, -0.1),
  offlineLoss: Float32Array.of(2, 0.5, 0.7, 0.2),
  onlineLoss: Float32Array.of(0.4, 0.9, 0.7, 0.6),
};

describe('agreement with PyTorch', () => {
  let recorded: { readonly probes: number[]; readonly cases: readonly RecordedCase[] };
  beforeAll(async () => {
    const file = new URL('../../../fixtures/meta-learners/mlp.json', import.meta.url);
    recorded = JSON.parse(await readFile(file, 'utf8'));
  });

  it.each(['defaults', 'clipped', 'other settings', 'all features', 'reference start', 'three hidden layers'])(
    'has the weights, loss and parameters of four updates: %s',
    (name) => {
      const { options, start, updates } = recorded.cases.find((candidate) => candidate.name === name)!;
      const learner = mlp(options);
      const floats = Object.fromEntries(Object.entries(start).map(([key, values]) => [key, Float32Array.from(values)]));
      const hidden = typeof options.hidden === 'number' ? [options.hidden] : options.hidden;
      const columns = floats.w1!.length / hidden[0]!;
      let state: MetaLearnerState = parameterArrays(floats, [columns, ...hidden, 1]);
      for (const expected of updates) {
        const rows = bufferOf(expected.buffer);
        expect(farthest(learner.weights(state, rows), expected.weights)).toBeLessThan(1e-5);
        const update = learner.update(state, rows);
        expect(Math.abs(update.loss / expected.loss - 1)).toBeLessThan(1e-5);
        state = update.state;
        for (const [parameter, values] of Object.entries(expected.parameters ?? {})) {
          expect(farthest(state[parameter]!.values, values), parameter).toBeLessThan(1e-5);
        }
        if (expected.probes !== undefined) {
          const probed = learner.weights(state, scores(...recorded.probes));
          expect(farthest(probed, expected.probes)).toBeLessThan(1e-5);
        }
      }
      expect(state.step!.values[0]).toBe(4);
    },
  );
});

describe('gradient', () => {
  it.each([[[1, 4, 1]], [[1, 4, 3, 5, 1]]])(
    'agrees with finite differences in every parameter, through w only: %j',
    (layers) => {
      const parameters = initialParameters('seed', layers, 3);
      const gradient = mlpGradient(parameters, layers, buffer.logSigmoidScore, buffer);
      const lossWith = (name: string, at: number, value: number): number => {
        const changed = { ...parameters, [name]: parameters[name]!.with(at, value) };
        const weights = mlpWeights(changed, layers, buffer.logSigmoidScore);
        const terms = Array.from(weights, (w, row) => w * buffer.offlineLoss[row]! + (1 - w) * buffer.onlineLoss[row]!);
        return terms.reduce((sum, term) => sum + term, 0) / terms.length;
      };
      expect(Object.keys(parameters)).toHaveLength(2 * (layers.length - 1));
      for (const [name, values] of Object.entries(parameters)) {
        values.forEach((value, at) => {
          const [high, low] = [Math.fround(value + 0.01), Math.fround(value - 0.01)];
          const slope = (lossWith(name, at, high) - lossWith(name, at, low)) / (high - low);
          expect(Math.abs(gradient[name]![at]! - slope), `${name} ${at}`).toBeLessThan(3e-5);
        });
      }
    },
  );
});

describe('an update', () => {
  const learner = mlp();

  it('raises w where the offline pair has the lower loss, and lowers it where the online pair has', () => {
    const state = learner.initialState(1);
    const rows = scores(-2, -2, -2);
    const [lower, higher] = [new Float32Array(3), new Float32Array(3).fill(1)];
    const before = learner.weights(state, rows)[0]!;
    const offlineBetter = learner.update(state, { ...rows, offlineLoss: lower, onlineLoss: higher }).state;
    const onlineBetter = learner.update(state, { ...rows, offlineLoss: higher, onlineLoss: lower }).state;
    expect(learner.weights(offlineBetter, rows)[0]).toBeGreaterThan(before);
    expect(learner.weights(onlineBetter, rows)[0]).toBeLessThan(before);
  });

  it('learns which scores to trust when repeated', () => {
    const rows = scores(-4, -4, -0.05, -0.05);
    const losses = { offlineLoss: Float32Array.of(2, 2, 0.1, 0.1), onlineLoss: Float32Array.of(0.5, 0.5, 0.9, 0.9) };
    let state = learner.initialState(0);
    for (let step = 0; step < 300; step++) state = learner.update(state, { ...rows, ...losses }).state;
    const [misfit, , fitted] = learner.weights(state, rows);
    expect(misfit).toBeLessThan(0.1);
    expect(fitted).toBeGreaterThan(0.9);
  });

  it('is the same from a state of parameters alone as from one with zero moments', () => {
    const full = learner.initialState(4);
    const bare = Object.fromEntries(Object.keys(parameterShapes([1, 100, 1])).map((name) => [name, full[name]!]));
    expect(learner.weights(bare, buffer)).toEqual(learner.weights(full, buffer));
    expect(learner.update(bare, buffer)).toEqual(learner.update(full, buffer));
  });

  it('decays matrices and leaves biases alone where the gradient is zero', () => {
    const equal = { ...buffer, offlineLoss: buffer.onlineLoss };
    const start = learner.initialState(4);
    const decaying = mlp({ weightDecay: 10 }).update(start, equal).state;
    expect(decaying.w1!.values[0]).toBeCloseTo(start.w1!.values[0]! * 0.95, 6);
    expect(decaying.b1).toEqual(start.b1);
  });
});

it('refuses a decay that turns signs', () => {
  expect(() => mlp({ learningRate: 0.5, weightDecay: 3 })).toThrow(/meta-learner mlp weightDecay: times the learning/);
});

describe('initial state', () => {
  it('weighs every score within 0.02 of 0.5 in no direction, whatever the seed', () => {
    const learner = mlp();
    const rows = scores(...[-5, -2, 0, 2, 5].map(logSigmoid));
    let rising = 0;
    for (let seed = 0; seed < 200; seed++) {
      const weights = learner.weights(learner.initialState(seed), rows);
      for (const weight of weights) expect(Math.abs(weight - 0.5)).toBeLessThan(0.02);
      if (weights[4]! > weights[0]!) rising += 1;
    }
    expect(Math.abs(rising - 100)).toBeLessThan(40);
    expect(learner.initialState(0)).not.toEqual(learner.initialState(1));
  });

  it('of several layers is near 0.5 and without a direction too, and of the reference within (0, 0.5]', () => {
    const rows = scores(...[-5, -2, 0, 2, 5].map(logSigmoid));
    const seeded = mlp({ hidden: [32, 16, 8] });
    for (let seed = 0; seed < 50; seed++) {
      for (const weight of seeded.weights(seeded.initialState(seed), rows))
        expect(Math.abs(weight - 0.5)).toBeLessThan(0.02);
    }
    const reference = mlp({ hidden: [4, 4], init: 'reference' });
    // sigmoid(0.4 tanh(0.4 tanh(0.1 x))) at x = -5: tanh(-0.5) = -0.462117, tanh(-0.184847) = -0.182770
    const [weight] = reference.weights(reference.initialState(0), scores(-5));
    expect(weight).toBeCloseTo(0.481734, 5);
    expect(Object.keys(reference.initialState(0)).filter((name) => !name.includes('/'))).toEqual([
      'w1',
      'b1',
      'w2',
      'b2',
      'w3',
      'b3',
      'step',
    ]);
  });

  it('has units that differ, so that they learn different things', () => {
    const learner = mlp();
    const { state } = learner.update(learner.initialState(0), buffer);
    for (const name of ['w1', 'w2'] as const) expect(new Set(state[name]!.values).size).toBe(100);
  });

  it.each([
    [-5, 0.99],
    [-2, 0.89],
    [0, 0.67],
    [1, 0.58],
    [3, 0.51],
  ])('of the reference selects a prompt of score %d with probability %d', (score, probability) => {
    const learner = mlp({ init: 'reference' });
    const [weight] = learner.weights(learner.initialState(0), scores(logSigmoid(score)));
    expect(1 - weight!).toBeCloseTo(probability, 2);
  });

  it('of the reference gives weights in (0, 0.5]', () => {
    const learner = mlp({ init: 'reference' });
    for (const weight of learner.weights(learner.initialState(0), scores(-1e4, -30, -1, -1e-8, 0))) {
      expect(weight).toBeGreaterThan(0);
      expect(weight).toBeLessThanOrEqual(0.5);
    }
  });
});

describe('a state that is not its own', () => {
  const checkpoint = expect.objectContaining({ code: 'checkpoint' });
  const learner = mlp({ hidden: 4 });
  const state = learner.initialState(0);

  it('is refused when it has another number of hidden units, naming the array and both shapes', () => {
    expect(() => mlp().weights(state, buffer)).toThrowError(checkpoint);
    expect(() => mlp().weights(state, buffer)).toThrow(/w1.*\[100, 1\].*\[4, 1\]/);
  });

  it('is refused when an array is missing, unknown or not finite', () => {
    const { w2, ...lacking } = state;
    expect(w2).toBeDefined();
    expect(() => learner.update(lacking, buffer)).toThrow(/lacks w2/);
    expect(() => learner.weights({ ...state, w3: state.w2! }, buffer)).toThrow(/w3/);
    const bad = { shape: [1], values: Float32Array.of(Number.NaN) };
    expect(() => learner.weights({ ...state, b2: bad }, buffer)).toThrowError(checkpoint);
  });

  it('is refused when only some of the moments are there', () => {
    const { 'moment2/w1': moment, ...lacking } = state;
    expect(moment).toBeDefined();
    expect(() => learner.weights(lacking, buffer)).toThrow(/moment2\/w1/);
  });
});

describe('features', () => {
  it('that the run does not know are an error that names the option', () => {
    const learner = mlp({ features: ['score', 'lengths', 'iteration'] });
    expect(() => learner.weights(learner.initialState(0), buffer)).toThrow(/features.*lengths/);
    const lengths = { chosenTokens: new Int32Array(4), rejectedTokens: new Int32Array(4) };
    expect(() => learner.weights(learner.initialState(0), { ...buffer, ...lengths })).toThrow(/features.*iteration/);
  });

  it('of entropies are asked for by the network that reads them', () => {
    const learner = mlp({ features: ['score', 'entropy'] });
    expect([learner, frozen({ features: ['entropy'] }), mlp(), frozen()].map((one) => one.readsEntropy)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(() => learner.weights(learner.initialState(0), buffer)).toThrow(/entropy.*chosenEntropy of 4 rows/);
  });

  it('change the weight when they are asked for, and only then', () => {
    const short = { chosenTokens: new Int32Array(4).fill(2), rejectedTokens: new Int32Array(4).fill(2) };
    const long = { chosenTokens: new Int32Array(4).fill(900), rejectedTokens: new Int32Array(4).fill(2) };
    const plain = mlp();
    const seeing = mlp({ features: ['score', 'lengths'] });
    const [a, b] = [plain.initialState(0), seeing.initialState(0)];
    expect(plain.weights(a, { ...buffer, ...short })).toEqual(plain.weights(a, { ...buffer, ...long }));
    expect(seeing.weights(b, { ...buffer, ...short })).not.toEqual(seeing.weights(b, { ...buffer, ...long }));
  });
});

describe('frozen', () => {
  it('has the weights of the mlp whose state it is given, before and after its updates', () => {
    const learner = mlp();
    const learned = learner.update(learner.initialState(2), buffer).state;
    const still = frozen();
    expect(still.weights(learned, buffer)).toEqual(learner.weights(learned, buffer));
    const update = still.update(learned, buffer);
    expect(update.state).toBe(learned);
    expect(update.loss).toBe(learner.update(learned, buffer).loss);
  });

  it('starts as the reference unless told otherwise', () => {
    const reference = mlp({ init: 'reference' });
    const state = frozen().initialState(0);
    expect(frozen().weights(state, buffer)).toEqual(reference.weights(reference.initialState(0), buffer));
    expect(frozen({ init: 'seed' }).initialState(3).w1).toEqual(mlp().initialState(3).w1);
  });

  it('keeps the counter of the state it was given', () => {
    const learned = mlp().update(mlp().initialState(2), buffer).state;
    const state = frozen().update(learned, buffer).state;
    expect(readMlpState('frozen', state, [1, 100, 1]).step).toBe(1);
  });
});
