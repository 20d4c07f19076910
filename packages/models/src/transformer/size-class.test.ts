import { describe, expect, it } from 'vitest';
import { COARSE_SIZES, lengthClass, sizeClass } from './size-class.js';

const COUNTS = Array.from({ length: 9000 }, (_, index) => index + 1);

/** Counts whose class is smaller, no class itself, or `most` or more above. */
function misfits(classOf: (count: number) => number, most: (count: number) => number): readonly number[] {
  return COUNTS.filter((count) => {
    const more = classOf(count) - count;
    return more < 0 || more >= most(count) || classOf(count + more) !== count + more;
  });
}

describe('size classes', () => {
  it('hold what they are asked for, with at most a sixteenth and less than 64 more', () => {
    expect(misfits(sizeClass, (count) => Math.min(64, Math.max(1, count / 16)))).toEqual([]);
  });

  it('of lengths are multiples of 16, at most an eighth above from 128 on, and less than 64 more', () => {
    expect(misfits(lengthClass, (count) => Math.min(64, Math.max(16, count / 8)))).toEqual([]);
    expect(COUNTS.filter((count) => lengthClass(count) % 16 !== 0)).toEqual([]);
  });

  it('of what is compiled hold what they are asked for, and are very few', () => {
    const { count, tokens, length, pages, places } = COARSE_SIZES;
    for (const classOf of [count, places]) expect(misfits(classOf, (size) => Math.max(1, size / 4))).toEqual([]);
    expect(misfits(tokens, (size) => Math.max(16, size / 4))).toEqual([]);
    expect(misfits(length, (size) => Math.max(16, size / 2))).toEqual([]);
    expect(misfits(pages, (size) => Math.max(1, size / 2))).toEqual([]);
    const upTo1024 = COUNTS.filter((size) => size <= 1024);
    expect([tokens, length, pages].map((classOf) => new Set(upTo1024.map(classOf)).size)).toEqual([20, 12, 20]);
  });

  it('are few', () => {
    expect(new Set(COUNTS.map(sizeClass)).size).toBeLessThan(240);
    expect(new Set(COUNTS.filter((count) => count < 1024).map(lengthClass)).size).toBeLessThan(34);
    expect([sizeClass(0), lengthClass(0)]).toEqual([0, 0]);
  });
});
