import { describe, expect, it } from 'vitest';
import { binned } from './index.js';

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe('binned', () => {
  it('moves each bin by its own rows, by hand', () => {
    const learner = binned({ edges: [-1], rate: 0.5 });
    // Below -1: online better twice, so 0.5 -> 0.25 -> 0.125. From -1 on: offline better once, so 0.5 -> 0.75.
    const { state, loss } = learner.update(learner.initialState(0), {
      logSigmoidScore: floats(-3, -1, -2),
      offlineLoss: floats(2, 0, 3),
      onlineLoss: floats(1, 1, 1),
    });
    expect([...state.estimates!.values]).toEqual([0.125, 0.75]);
    expect(loss).toBeCloseTo((1.5 + 0.5 + 2) / 3, 6);
    expect([...learner.weights(state, { logSigmoidScore: floats(-9, -1.001, -1, 0) })]).toEqual([
      0.125, 0.125, 0.75, 0.75,
    ]);
  });

  it('counts equal losses as one half and keeps bins without rows', () => {
    const learner = binned({ edges: [-1], rate: 0.5, prior: 0.25 });
    const equal = { logSigmoidScore: floats(-2), offlineLoss: floats(1), onlineLoss: floats(1) };
    expect([...learner.update(learner.initialState(0), equal).state.estimates!.values]).toEqual([0.375, 0.25]);
  });

  it('comes to the same estimates from one buffer as from its rows one by one, when the outcomes of a bin agree', () => {
    const learner = binned({ edges: [-1], rate: 0.1 });
    const scores = [-2, -0.5, -3, -0.1];
    const [offline, online] = [
      [1, 0, 1, 0],
      [0, 1, 0, 1],
    ];
    const rowsOf = (from: number, to: number) => ({
      logSigmoidScore: floats(...scores.slice(from, to)),
      offlineLoss: floats(...offline.slice(from, to)),
      onlineLoss: floats(...online.slice(from, to)),
    });
    const together = learner.update(learner.initialState(0), rowsOf(0, 4)).state;
    let single = learner.initialState(0);
    for (let row = 0; row < 4; row++) single = learner.update(single, rowsOf(row, row + 1)).state;
    [0, 1].forEach((bin) => {
      expect(together.estimates!.values[bin]).toBeCloseTo(single.estimates!.values[bin]!, 6);
    });
  });

  it('takes quantile edges from the first buffer and keeps them', () => {
    const learner = binned({ bins: 4 });
    const rows = (...logSigmoidScore: number[]) => ({
      logSigmoidScore: floats(...logSigmoidScore),
      offlineLoss: new Float32Array(logSigmoidScore.length),
      onlineLoss: new Float32Array(logSigmoidScore.length).fill(1),
    });
    const first = learner.update(learner.initialState(0), rows(-2, -8, -4, 0, -6)).state;
    expect([...first.edges!.values]).toEqual([-6, -4, -2]);
    expect(learner.update(first, rows(-1, -1, -1)).state.edges).toEqual(first.edges);
  });

  it('refuses bins beside edges, edges that do not ascend, and a rate of 0', () => {
    const config = expect.objectContaining({ code: 'config' });
    expect(() => binned({ bins: 3, edges: [-1] })).toThrowError(config);
    expect(() => binned({ edges: [-1, -2] })).toThrow(/edges must ascend/);
    expect(() => binned({ rate: 0 })).toThrowError(config);
  });
});
