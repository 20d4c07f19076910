import { describe, expect, it } from 'vitest';
import { bfloat16FromFloat32, float32FromBfloat16, float32FromFloat16 } from './index.js';

describe('float formats', () => {
  it('convert exactly, and round to the nearest even bfloat16', () => {
    expect([...float32FromFloat16(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00))]).toEqual([
      1,
      -2,
      2 ** -24,
      Infinity,
    ]);
    expect([...float32FromBfloat16(Uint16Array.of(0x3f80, 0xc040))]).toEqual([1, -3]);
    // 1 + 2^-8 lies between 1 and 1 + 2^-7: the even one is 1; 1 + 3 * 2^-8 goes up.
    const rounded = bfloat16FromFloat32(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, Number.NaN));
    expect([...float32FromBfloat16(rounded)]).toEqual([1, 1 + 2 ** -6, Number.NaN]);
  });
});
