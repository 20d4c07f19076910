import { describe, expect, it } from 'vitest';
import { iterationSlices } from '../iteration-slices.js';
import { type AnnotationBudget, annotationLimit } from './annotation-limit.js';

const limits = (budget: AnnotationBudget, rows: number, iterations: number, promptsPerIteration?: number) => {
  const slices = iterationSlices(rows, { iterations, promptsPerIteration });
  const rowsInAll = slices.at(-1)?.end ?? 0;
  return slices.map(({ end }) => annotationLimit(budget, { rowsSoFar: end, rowsInAll, callsPerRow: 8 }));
};

describe('an annotation budget', () => {
  it('of a share grows with the rows of the iterations, not with rows that no iteration has', () => {
    expect(limits({ share: 0.58 }, 300, 3)).toEqual([58, 116, 174]);
    expect(limits({ share: 0.58 }, 1000, 3, 100)).toEqual([58, 116, 174]);
    expect(limits({ share: 0.5 }, 7, 3)).toEqual([1, 3, 3]);
  });

  it('of reward calls is spread over the iterations, and holds exactly', () => {
    expect(limits({ rewardCalls: 800 }, 300, 3)).toEqual([33, 66, 100]);
    expect(limits({ rewardCalls: 807 }, 250, 3, 100)).toEqual([40, 80, 100]);
    expect(limits({ rewardCalls: 1e6 }, 300, 3)).toEqual([100, 200, 300]);
  });

  it('of everything or of one call is exact too', () => {
    expect(limits({ share: 1 }, 61_110, 3)).toEqual([20_370, 40_740, 61_110]);
    expect(limits({ rewardCalls: 1 }, 10, 2)).toEqual([0, 0]);
  });
});

describe('slices', () => {
  it('are disjoint, in order, and end with the rows', () => {
    expect(iterationSlices(7, { iterations: 3 })).toEqual([
      { start: 0, end: 3 },
      { start: 3, end: 6 },
      { start: 6, end: 7 },
    ]);
    expect(iterationSlices(3, { iterations: 3, promptsPerIteration: 2 })).toHaveLength(2);
    expect(iterationSlices(0, { iterations: 3 })).toEqual([]);
  });
});
