import type { MetaBuffer, MetaLearner } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { describe, expect, it } from 'vitest';
import { isotonic } from './index.js';

/** Rows whose offline pair is the better one with probability exp(x), x = logsigmoid(s). */
function buffer(rows: number, at: number): MetaBuffer {
  const scores = Float32Array.from({ length: rows }, (_, row) => -5 * uniformOf(['score', at, row]));
  const isOfflineBetter = (x: number, row: number): boolean => uniformOf(['outcome', at, row]) < Math.exp(x);
  return {
    logSigmoidScore: scores,
    offlineLoss: scores.map((x, row) => (isOfflineBetter(x, row) ? 0.2 : 0.8)),
    onlineLoss: new Float32Array(rows).fill(0.5),
  };
}

const probes = { logSigmoidScore: Float32Array.from({ length: 101 }, (_, at) => at / 20 - 5) };

function curveAfter(learner: MetaLearner, rows: number): Float32Array {
  return learner.weights(learner.update(learner.initialState(0), buffer(rows, 1)).state, probes);
}

describe('isotonic', () => {
  it('weighs every pair 0.5 before the first update', () => {
    const learner = isotonic();
    expect([...learner.weights(learner.initialState(0), probes)]).toEqual(Array(101).fill(0.5));
  });

  it('gives a curve that rises, or falls when told so', () => {
    const rising = curveAfter(isotonic(), 500);
    const falling = curveAfter(isotonic({ direction: 'falling' }), 500);
    expect([...rising]).toEqual([...rising].sort((a, b) => a - b));
    expect([...falling]).toEqual([...falling].sort((a, b) => b - a));
  });

  it('finds the curve that the rows were drawn from', () => {
    const curve = curveAfter(isotonic({ priorRows: 0 }), 2000);
    const errors = [...curve].map((w, at) => Math.abs(w - Math.exp(probes.logSigmoidScore[at]!)));
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.06);
  });

  it('stays between its prior and the fit, by hand: one row of 1, prior of 3 rows', () => {
    const learner = isotonic({ priorRows: 3 });
    const one = {
      logSigmoidScore: Float32Array.of(-1),
      offlineLoss: Float32Array.of(0),
      onlineLoss: Float32Array.of(1),
    };
    const { state } = learner.update(learner.initialState(0), one);
    expect([...learner.weights(state, one)]).toEqual([(1 + 1.5) / 4]);
  });

  it('forgets the oldest rows when its memory is full', () => {
    const learner = isotonic({ capacity: 64 });
    let state = learner.initialState(0);
    for (const at of [1, 2, 3]) state = learner.update(state, buffer(40, at)).state;
    const expected = [...buffer(40, 2).logSigmoidScore.slice(-24), ...buffer(40, 3).logSigmoidScore];
    expect([...state['history/scores']!.values]).toEqual(expected);
    expect(state['history/rows']!.values[0]).toBe(64);
  });

  it('keeps the last rows of a buffer larger than its memory', () => {
    const learner = isotonic({ capacity: 16 });
    const { state } = learner.update(learner.initialState(0), buffer(40, 1));
    expect([...state['history/scores']!.values]).toEqual([...buffer(40, 1).logSigmoidScore.slice(-16)]);
  });

  it('refuses a state of another capacity or with an impossible number of rows', () => {
    const checkpoint = expect.objectContaining({ code: 'checkpoint' });
    const state = isotonic({ capacity: 16 }).initialState(0);
    expect(() => isotonic({ capacity: 8 }).weights(state, probes)).toThrowError(checkpoint);
    const impossible = { ...state, 'history/rows': { shape: [1], values: Float32Array.of(17) } };
    expect(() => isotonic({ capacity: 16 }).weights(impossible, probes)).toThrowError(checkpoint);
  });
});
