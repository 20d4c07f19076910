import { createHash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** What a random draw belongs to: a purpose first, then numbers such as seed, iteration and row. */
export type RandomKey = readonly [purpose: string, ...numbers: number[]];

/** A draw from U[0, 1) that depends on its key alone, never on other draws or on their order. */
export function uniformOf(key: RandomKey): number {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest();
  return (digest.readUInt32LE(0) * 2 ** 21 + (digest.readUInt32LE(4) >>> 11)) / 2 ** 53;
}

/** A 31-bit seed that depends on its key alone. */
export function seedOf(key: RandomKey): number {
  return Math.floor(uniformOf(key) * 2 ** 31);
}

/** The numbers 0 to count - 1 in an order that depends on the seed alone (Fisher-Yates). */
export function shuffledIndices(count: number, seed: number): Int32Array {
  const indices = Int32Array.from({ length: count }, (_, index) => index);
  const generator = xoroshiro128plus(seed);
  for (let last = count - 1; last > 0; last--) {
    const other = uniformInt(generator, 0, last);
    const moved = indices[last]!;
    indices[last] = indices[other]!;
    indices[other] = moved;
  }
  return indices;
}

/** `count` draws from U[low, high), float32, from a seed. */
export function uniformArray(count: number, low: number, high: number, seed: number): Float32Array {
  const generator = xoroshiro128plus(seed);
  return Float32Array.from({ length: count }, () => low + (high - low) * uniformFloat64(generator));
}

/** `count` draws from a normal distribution of mean 0, float32, from a seed (Box-Muller). */
export function normalArray(count: number, standardDeviation: number, seed: number): Float32Array {
  const generator = xoroshiro128plus(seed);
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
    return standardDeviation * radius * Math.cos(2 * Math.PI * uniformFloat64(generator));
  });
}
