import { describe, expect, it } from 'vitest';
import { sizeClass } from './size-class.js';

describe('size classes', () => {
  it('hold what they are asked for, with at most a sixteenth and less than 64 more', () => {
    for (let count = 1; count < 9000; count++) {
      const size = sizeClass(count);
      expect(size).toBeGreaterThanOrEqual(count);
      expect(size - count).toBeLessThan(Math.min(64, Math.max(1, count / 16)));
      expect(sizeClass(size)).toBe(size);
    }
  });

  it('are few', () => {
    const classes = new Set(Array.from({ length: 8192 }, (_, index) => sizeClass(index + 1)));
    expect(classes.size).toBeLessThan(230);
    expect(sizeClass(0)).toBe(0);
  });
});
