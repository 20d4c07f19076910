import { expect, it } from 'vitest';
import { withinTime } from './within-time.js';

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
