import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fitAt, monotoneFit } from './monotone-fit.js';

interface RecordedFit {
  readonly x: number[];
  readonly y: number[];
  readonly knots: number[];
  readonly fitted: number[];
}

describe('monotone fit', () => {
  it('agrees with the min-max formula at every point, with and without equal x', async () => {
    const file = new URL('../../../fixtures/meta-learners/isotonic.json', import.meta.url);
    const recorded: readonly RecordedFit[] = JSON.parse(await readFile(file, 'utf8'));
    expect(recorded.length).toBe(4);
    for (const { x, y, knots, fitted } of recorded) {
      const fit = monotoneFit(Float32Array.from(x), Float32Array.from(y));
      knots.forEach((knot, at) => {
        expect(fitAt(fit, knot)).toBeCloseTo(fitted[at]!, 12);
      });
    }
  });

  it('pools a violation by hand: 0, 1, 0 at 1, 2, 3 becomes 0, 1/2, 1/2', () => {
    const fit = monotoneFit(Float32Array.of(3, 1, 2), Float32Array.of(0, 0, 1));
    expect([...fit.x]).toEqual([1, 2, 3]);
    expect([...fit.y]).toEqual([0, 0.5, 0.5]);
  });

  it('is linear between blocks and constant beyond the ends', () => {
    const fit = monotoneFit(Float32Array.of(0, 4), Float32Array.of(0, 1));
    expect([-9, 0, 1, 2, 4, 9].map((at) => fitAt(fit, at))).toEqual([0, 0, 0.25, 0.5, 1, 1]);
  });

  it('has no value without points', () => {
    expect(fitAt(monotoneFit(new Float32Array(0), new Float32Array(0)), 1)).toBeUndefined();
  });
});
