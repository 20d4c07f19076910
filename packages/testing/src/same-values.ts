/** First index at which two arrays differ in a bit (NaN equals NaN), or in their length; `undefined` when they do not. */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  return firstIndex(a, b, (x, y) => Object.is(x, y));
}

/** First index at which two arrays differ by more than `tolerance` * (1 + |value|), or in their length. */
export function firstDisagreement(a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): number | undefined {
  return firstIndex(a, b, (x, y) => Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * (1 + Math.abs(y)));
}

function firstIndex(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  agree: (x: number, y: number) => boolean,
): number | undefined {
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at++) {
    if (!agree(a[at]!, b[at]!)) return at;
  }
  return a.length === b.length ? undefined : common;
}

/** The values in the order of `indices`. */
export function inOrder(values: Float32Array, indices: readonly number[]): Float32Array {
  return Float32Array.from(indices, (at) => values[at]!);
}
