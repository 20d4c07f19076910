import { expect, it } from 'vitest';
import type { PreferenceLoss, TokenizedPreference } from '../contracts/index.js';
import { chosenChange, watchChosenFall } from './chosen-fall.js';

const row = (tokens: number): TokenizedPreference => {
  const ids = new Int32Array(tokens);
  return { row: 0, prompt: ids, chosen: ids, rejected: ids };
};
const arrays = {
  policyChosen: Float32Array.of(-12, -6),
  policyRejected: Float32Array.of(0, 0),
  referenceChosen: Float32Array.of(-10, -7),
};

it('gives the change of chosen log-probabilities a token, whatever the aggregation', () => {
  const of = (aggregation: 'sum' | 'mean') =>
    chosenChange({ aggregation } as PreferenceLoss, arrays, [row(4), row(2)])['logps/chosen_change'];
  expect(of('sum')).toBeCloseTo((-2 / 4 + 1 / 2) / 2, 6);
  expect(of('mean')).toBeCloseTo((-2 + 1) / 2, 6);
  const { referenceChosen: _, ...free } = arrays;
  expect(chosenChange({ aggregation: 'sum' } as PreferenceLoss, free, [row(4), row(2)])).toEqual({});
});

it('warns once, after ten steps beyond the bound', () => {
  const watch = watchChosenFall();
  const said = [-0.1, ...new Array<number>(20).fill(-0.6)].map((change) => watch({ 'logps/chosen_change': change }));
  expect(said.findIndex((text) => text !== undefined)).toBe(9);
  expect(said[9]).toContain('0.55 nats a token');
  expect(said.filter((text) => text !== undefined)).toHaveLength(1);
  expect(watchChosenFall()({ loss: 1 })).toBeUndefined();
});
