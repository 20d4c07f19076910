import { expect, it } from 'vitest';
import type { PreferenceLoss } from '../contracts/index.js';
import { type ChosenStart, chosenChange, nextChosenStart, watchChosenFall } from './chosen-fall.js';

const arrays = {
  policyChosen: Float32Array.of(-12, -6),
  policyRejected: Float32Array.of(0, 0),
  referenceChosen: Float32Array.of(-10, -7),
  chosenTokens: Float32Array.of(4, 2),
};
const { referenceChosen: _, ...free } = arrays;
const lossOver = (aggregation: 'sum' | 'mean', isReferenceFree = false) =>
  ({ aggregation, isReferenceFree }) as PreferenceLoss;

it('gives the change of chosen log-probabilities a token, whatever the aggregation', () => {
  const of = (aggregation: 'sum' | 'mean') => chosenChange(lossOver(aggregation), arrays)['logps/chosen_change'];
  expect(of('sum')).toBeCloseTo((-2 / 4 + 1 / 2) / 2, 6);
  expect(of('mean')).toBeCloseTo((-2 + 1) / 2, 6);
});

it('measures a loss without reference against the first ten steps of the run', () => {
  const loss = lossOver('sum', true);
  let start: ChosenStart | undefined;
  for (let step = 0; step < 12; step++) {
    expect(chosenChange(loss, free, start)).toEqual(step < 10 ? {} : { 'logps/chosen_change': 0 });
    start = nextChosenStart(loss, free, start);
  }
  // (-12 / 4 - 6 / 2) / 2
  expect(start).toEqual({ steps: 10, mean: -3 });
  const fallen = { ...free, policyChosen: Float32Array.of(-16, -8) };
  expect(chosenChange(loss, fallen, start)).toEqual({ 'logps/chosen_change': -1 });
  expect(nextChosenStart(lossOver('sum'), arrays, undefined)).toBeUndefined();
});

it('warns once, after ten steps beyond the bound', () => {
  const watch = watchChosenFall(lossOver('sum'));
  const said = [-0.1, ...new Array<number>(20).fill(-0.6)].map((change) => watch({ 'logps/chosen_change': change }));
  expect(said.findIndex((text) => text !== undefined)).toBe(9);
  expect(said[9]).toContain('0.55 nats a token than they were under the reference');
  expect(said.filter((text) => text !== undefined)).toHaveLength(1);
  expect(watchChosenFall(lossOver('sum'))({ loss: 1 })).toBeUndefined();
});

it('says what a loss without reference is compared with', () => {
  const watch = watchChosenFall(lossOver('mean', true));
  const said = new Array<number>(10).fill(-0.6).map((change) => watch({ 'logps/chosen_change': change }));
  expect(said[9]).toContain('when the run began');
});
