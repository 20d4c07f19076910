import { expect, it } from 'vitest';
import { mapWithinTime, withinTime } from './within-time.js';

const limit = { where: 'here', what: 'the template', limitMs: 200 };

it('ends loops and regular expressions that do not end', () => {
  const loop = (): never => {
    for (;;);
  };
  expect(() => withinTime(loop, limit)).toThrow(/the template takes too long/);
  expect(() => withinTime(() => /^(a+)+$/.test(`${'a'.repeat(40)}b`), limit)).toThrow(/takes too long/);
});

it('gives results and errors as they are, also one inside another', () => {
  expect(withinTime(() => withinTime(() => [1], limit), limit)).toEqual([1]);
  expect(() =>
    withinTime(() => {
      throw new RangeError('own');
    }, limit),
  ).toThrow(new RangeError('own'));
});

it('begins anew what stood still for longer than it may compute', () => {
  const still = new Int32Array(new SharedArrayBuffer(4));
  let begun = 0;
  const work = (): number => {
    begun += 1;
    if (begun === 1) Atomics.wait(still, 0, 0, 400);
    return begun;
  };
  expect(withinTime(work, limit)).toBe(2);
});

it('computes many under one watch, and each anew under its own where that is too long for all', () => {
  const begun: number[] = [];
  const compute = (item: number): number => {
    begun.push(item);
    const work = (): number => {
      const end = performance.now() + (item === 2 ? 300 : 0);
      while (performance.now() < end);
      return 10 * item;
    };
    return withinTime(work, { ...limit, limitMs: 5_000 });
  };
  expect(mapWithinTime([1, 3], compute, limit)).toEqual([10, 30]);
  expect(mapWithinTime([1, 2, 3], compute, limit)).toEqual([10, 20, 30]);
  expect(begun.slice(0, 4)).toEqual([1, 3, 1, 2]);
  expect(begun.filter((item) => item === 2).length).toBeGreaterThan(1);
  const loop = (item: number): number =>
    withinTime(() => {
      while (item === 2);
      return item;
    }, limit);
  expect(() => mapWithinTime([1, 2, 3], loop, limit)).toThrow(/the template takes too long/);
  const refuse = (): never => {
    throw new RangeError('own');
  };
  expect(() => mapWithinTime([1], refuse, limit)).toThrow(new RangeError('own'));
});
