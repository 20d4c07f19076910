import { describe, expect, it } from 'vitest';
import { sizeClass } from './size-class.js';

const COUNTS = Array.from({ length: 9000 }, (_, index) => index + 1);

describe('size classes', () => {
  it('hold what they are asked for, with at most a sixteenth and less than 64 more', () => {
    const wrong = COUNTS.filter((count) => {
      const more = sizeClass(count) - count;
      return more < 0 || more >= Math.min(64, Math.max(1, count / 16)) || sizeClass(count + more) !== count + more;
    });
    expect(wrong).toEqual([]);
  });

  it('are few', () => {
    expect(new Set(COUNTS.map(sizeClass)).size).toBeLessThan(240);
    expect(sizeClass(0)).toBe(0);
  });
});
