import { keep, kernels, operations as ops, type Value } from '@metaapo/engine';

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

/** The bfloat16 value that a product of bfloat16 factors holds exactly; any other value itself. */
export function narrowed(x: Value): Value {
  const { operation, inputs } = x.node;
  if (operation === 'reshape') return ops.reshape(narrowed(inputs[0]!), x.shape);
  return operation === 'matmul' && inputs[0]!.dtype === 'bfloat16' ? ops.cast(x, 'bfloat16') : x;
}

/**
 * Root-mean-square normalisation of rows: y = w * x * r, r = (mean(x^2) + epsilon)^-1/2 (arXiv 1910.07467, eq. 4).
 * @param x `[n, d]`
 * @param weight `[d]`
 * @param precision of what reads the result: a fused kernel rounds it there
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number, precision: Precision = 'float32'): Value {
  if (x.graph.kernels.has('RmsNorm')) return fusedRmsNorm(x, ops.cast(weight, 'float32'), epsilon, precision);
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

function fusedRmsNorm(x: Value, weight: Value, epsilon: number, precision: Precision): Value {
  const [y] = ops.withGradient(
    [x, weight],
    () => [kernels.rmsNorm(narrowed(x), weight, epsilon, precision)],
    ([g]) => kernels.rmsNormGradient(g!, narrowed(x), weight, epsilon),
  );
  return y!;
}

/**
 * silu(gate) * up, both `[n, f]` (arXiv 2002.05202, SwiGLU without its linear maps).
 * @param precision of the product that reads it
 */
export function gatedSilu(gate: Value, up: Value, precision: Precision = 'float32'): Value {
  if (gate.graph.kernels.has('GatedSilu')) return fusedGatedSilu(gate, up, precision);
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

function fusedGatedSilu(gate: Value, up: Value, precision: Precision): Value {
  const parts = (): readonly [Value, Value] => {
    const [a, b] = [narrowed(gate), narrowed(up)];
    return a.dtype === b.dtype ? [a, b] : [gate, up];
  };
  const [y] = ops.withGradient(
    [gate, up],
    () => [kernels.gatedSilu(...parts(), precision)],
    ([g]) => kernels.gatedSiluGradient(g!, ...parts()),
  );
  return y!;
}

/** sqrt(2 / pi) and the factor of x^3 in the tanh form of GELU. */
const [GELU_SCALE, GELU_CUBE] = [Math.sqrt(2 / Math.PI), 0.044715] as const;

/** gelu(gate) * up, both `[n, f]` (GEGLU of arXiv 2002.05202), with gelu(x) = x/2 * (1 + tanh(s * (x + c * x^3))). */
export function gatedGelu(gate: Value, up: Value): Value {
  const half = (x: Value): Value => ops.multiply(x, 0.5);
  const tanhOf = (x: Value, squared: Value): Value => {
    const inner = ops.multiply(x, ops.add(ops.multiply(squared, GELU_SCALE * GELU_CUBE), GELU_SCALE));
    return ops.hyperbolicTangent(inner);
  };
  const [y] = ops.withGradient(
    [gate, up],
    () => [ops.multiply(ops.multiply(half(gate), ops.add(tanhOf(gate, ops.square(gate)), 1)), up)],
    ([g]) => {
      const squared = ops.square(gate);
      const t = tanhOf(gate, squared);
      const cdf = half(ops.add(t, 1));
      // d gelu = (1 + t) / 2 + x/2 * (1 - t^2) * s * (1 + 3 c x^2)
      const inner = ops.add(ops.multiply(squared, 3 * GELU_SCALE * GELU_CUBE), GELU_SCALE);
      const bend = ops.multiply(ops.multiply(half(gate), ops.subtract(1, ops.square(t))), inner);
      const slope = ops.add(cdf, bend);
      return [ops.multiply(ops.multiply(g!, up), slope), ops.multiply(g!, ops.multiply(gate, cdf))];
    },
  );
  return y!;
}

/** c * tanh(x / c): the same near zero, and never beyond -c and c. */
export function softCap(x: Value, cap: number): Value {
  return ops.multiply(ops.hyperbolicTangent(ops.multiply(x, 1 / cap)), cap);
}

/** The slope 1 - (y / c)^2 of {@link softCap} where it gave y. */
export function softCapSlope(capped: Value, cap: number): Value {
  return ops.subtract(1, ops.square(ops.multiply(capped, 1 / cap)));
}

/** Cosines and sines of the rotary angles, each `[n, r/2]`, one row a row of the rotated value. */
export interface RotaryTables {
  readonly cosines: Value;
  readonly sines: Value;
  /** Factor that is in both already; what is not rotated is multiplied by it too. */
  readonly scale: number;
  /** The angles `[N, r/2]` of the tokens, each of which has so many rows, without the factor: what a fused kernel reads. */
  readonly ofTokens: Pick<RotaryTables, 'cosines' | 'sines'> & { readonly heads: number };
}

/**
 * Rotary position embedding of the first r of each row `[n, d]`: their halves (a, b) become
 * (a cos - b sin, b cos + a sin) (arXiv 2104.09864, eq. 34, with the pairs (i, i + r/2)).
 * @param precision of what reads the result: a fused kernel rounds it there
 */
export function rotate(x: Value, tables: RotaryTables, precision: Precision = 'float32'): Value {
  const { cosines, sines, scale } = tables;
  if (x.graph.kernels.has('Rotate')) return fusedRotate(x, tables, precision);
  const [half, all] = [cosines.shape[1] as number, x.shape[1] as number];
  const rest = all - 2 * half;
  const [a, b, other] = ops.split(x, rest === 0 ? [half, half] : [half, half, rest], 1) as [Value, Value, Value?];
  const first = ops.subtract(ops.multiply(a, cosines), ops.multiply(b, sines));
  const second = ops.add(ops.multiply(b, cosines), ops.multiply(a, sines));
  if (other === undefined) return ops.concat([first, second], 1);
  return ops.concat([first, second, scale === 1 ? other : ops.multiply(other, scale)], 1);
}

function fusedRotate(x: Value, { ofTokens, scale }: RotaryTables, precision: Precision): Value {
  const rotation = { ...ofTokens, scale };
  const [y] = ops.withGradient(
    [x],
    () => [kernels.rotate(narrowed(x), rotation, precision)],
    ([g]) => [kernels.rotate(g!, rotation, precision, true)],
  );
  return y!;
}
