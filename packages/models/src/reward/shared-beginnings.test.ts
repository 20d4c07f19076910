import { expect, it } from 'vitest';
import { shareBeginnings } from './shared-beginnings.js';

const tokens = (first: number, length: number): number[] => Array.from({ length }, (_, index) => first + index);
const sequence = (...parts: readonly (readonly number[])[]): Int32Array => Int32Array.from(parts.flat());

it('computes the beginning of the responses to each prompt once, whatever order they come in', () => {
  const system = tokens(1, 20);
  const [a, b] = [
    [...system, ...tokens(100, 30)],
    [...system, ...tokens(200, 40)],
  ];
  const sequences = [
    sequence(a, [7, 8]),
    sequence(b, [5]),
    sequence(a, [7, 9, 9]),
    sequence(tokens(900, 10)),
    sequence(b, [6, 6]),
    sequence(a, [3]),
  ];
  const shared = shareBeginnings(sequences);
  const lengths = shared.map(({ indices, group }) => [[...indices].sort().join(), group.prompt.length]);
  expect(Object.fromEntries(lengths)).toEqual({ '0,2,5': 50, '1,4': 60, '3': 0 });
  for (const { indices, group } of shared) {
    for (const [at, index] of indices.entries()) {
      expect(sequence([...group.prompt], [...group.responses[at]!])).toEqual(sequences[index]);
    }
  }
});

it('leaves each sequence a token of its own, also among equal ones', () => {
  const twice = sequence(tokens(1, 30));
  const [both] = shareBeginnings([twice, twice, sequence(tokens(1, 20))]);
  expect(both!.group.responses.map(({ length }) => length)).toEqual([1, 11, 11]);
  expect(shareBeginnings([sequence([4]), sequence([4])]).map(({ group }) => group.prompt.length)).toEqual([0, 0]);
  expect(shareBeginnings([])).toEqual([]);
});
