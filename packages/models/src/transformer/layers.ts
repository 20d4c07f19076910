import { keep, operations as ops, type Value } from '@metaapo/engine';

/** Number format of the large matrix products; everything else is float32. */
export type Precision = 'float32' | 'bfloat16';

/** A low-rank addition to a linear map: `y += scaling * (x A^T) B^T` (arXiv 2106.09685, section 4.1). */
export interface LowRank {
  /** `[rank, in]` */
  readonly a: Value;
  /** `[out, rank]` */
  readonly b: Value;
  readonly scaling: number;
}

/** Parameters of a linear map in the layout of the checkpoint: weight `[out, in]`, bias `[out]`. */
export interface LinearParameters {
  readonly weight: Value;
  readonly bias?: Value | undefined;
  readonly lowRank?: LowRank | undefined;
}

/** `x W^T` for x `[n, in]` and W `[out, in]`: float32 `[n, out]`. */
export function product(x: Value, weight: Value, precision: Precision): Value {
  return ops.matmul(ops.cast(x, precision), ops.cast(weight, precision), { transposeB: true });
}

/** `x W^T + b`, with the low-rank addition where there is one: `[n, in]` to `[n, out]`. */
export function linear(x: Value, { weight, bias, lowRank }: LinearParameters, precision: Precision): Value {
  let y = product(x, weight, precision);
  if (bias !== undefined) y = ops.add(y, bias);
  if (lowRank === undefined) return y;
  const inner = keep(product(x, lowRank.a, precision), 'matmul');
  return ops.add(y, ops.multiply(product(inner, lowRank.b, precision), lowRank.scaling));
}

/**
 * Root-mean-square normalisation of rows: y = w * x * r, r = (mean(x^2) + epsilon)^-1/2 (arXiv 1910.07467, eq. 4).
 * @param x `[n, d]`
 * @param weight `[d]`
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  const inverse = ops.reciprocalSquareRoot(ops.add(ops.meanOfRows(ops.square(x)), epsilon));
  const [y] = ops.withGradient(
    [x, weight, inverse],
    () => [ops.multiply(ops.multiply(x, inverse), weight)],
    ([g]) => {
      // With h = g * w: dx = r * (h - x * r^2 * mean(h * x)); dw = sum over rows of g * x * r. The path through r is
      // part of dx, so r itself gets no cotangent.
      const h = ops.multiply(g!, weight);
      const shrink = ops.multiply(ops.square(inverse), ops.meanOfRows(ops.multiply(h, x)));
      const dx = ops.multiply(ops.subtract(h, ops.multiply(x, shrink)), inverse);
      return [dx, ops.sum(ops.multiply(ops.multiply(g!, x), inverse), [0]), undefined];
    },
  );
  return y!;
}

/** silu(gate) * up, both `[n, f]` (arXiv 2002.05202, SwiGLU without its linear maps). */
export function gatedSilu(gate: Value, up: Value): Value {
  const [y] = ops.withGradient(
    [gate, up],
    () => [ops.multiply(ops.multiply(gate, ops.sigmoid(gate)), up)],
    ([g]) => {
      const s = ops.sigmoid(gate);
      const silu = ops.multiply(gate, s);
      // d silu = s * (1 + gate * (1 - s)) = s + silu - silu * s
      const slope = ops.add(s, ops.subtract(silu, ops.multiply(silu, s)));
      return [ops.multiply(ops.multiply(g!, up), slope), ops.multiply(g!, silu)];
    },
  );
  return y!;
}

/** Cosines and sines of the rotary angles, each `[n, d/2]`, one row a row of the rotated value. */
export interface RotaryTables {
  readonly cosines: Value;
  readonly sines: Value;
}

/**
 * Rotary position embedding of rows `[n, d]`: the halves (a, b) become (a cos - b sin, b cos + a sin)
 * (arXiv 2104.09864, eq. 34, with the pairs (i, i + d/2)).
 */
export function rotate(x: Value, { cosines, sines }: RotaryTables): Value {
  const half = (x.shape[1] as number) / 2;
  const [a, b] = ops.split(x, [half, half], 1) as readonly [Value, Value];
  const first = ops.subtract(ops.multiply(a, cosines), ops.multiply(b, sines));
  const second = ops.add(ops.multiply(b, cosines), ops.multiply(a, sines));
  return ops.concat([first, second], 1);
}
