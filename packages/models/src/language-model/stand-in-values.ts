import { normalArray } from '@metaapo/core/numerics';

const DEVIATION = 0.02;
const VALUES = 65_536;

/** Values of a parameter of this shape that no model has: matrices normal with a deviation of 0.02, the same ones again and again; vectors 1. */
export function standInValues(shape: readonly number[]): Float32Array {
  const values = new Float32Array(shape.reduce((product, dimension) => product * dimension, 1));
  if (shape.length < 2) return values.fill(1);
  const some = normalArray(Math.min(VALUES, values.length), DEVIATION, 0);
  for (let at = 0; at < values.length; at += some.length) {
    values.set(some.subarray(0, Math.min(some.length, values.length - at)), at);
  }
  return values;
}
