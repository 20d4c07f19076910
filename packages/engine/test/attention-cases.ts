import { kernels, operations as ops, type Value } from '../src/program/index.js';
import { tensor } from './kernel-results.js';

/** Prompts and responses whose attention is computed. */
export interface AttentionCase {
  readonly name: string;
  /** Tokens of prompts, and of the responses to each. */
  readonly families: readonly (readonly [number, ...number[]])[];
  readonly heads: number;
  readonly groups: number;
  readonly dim: number;
  readonly window?: number;
  readonly cap?: number;
}

/** Families of segments, in sizes that blocks do not divide. */
export const ATTENTION_CASES: readonly AttentionCase[] = [
  { name: 'of two families', families: [[70, 9, 1], [5]], heads: 4, groups: 2, dim: 16 },
  { name: 'of many blocks of keys', families: [[290, 140]], heads: 1, groups: 1, dim: 8 },
  { name: 'within a window', families: [[300, 30]], heads: 2, groups: 1, dim: 8, window: 23 },
  { name: 'of bounded scores and odd sizes', families: [[33, 2, 67]], heads: 3, groups: 1, dim: 12, cap: 1.5 },
  { name: 'of wide heads that four does not divide', families: [[40, 19]], heads: 2, groups: 2, dim: 70 },
];

/** Rows `[S, 4]` of segments behind which three tokens belong to none. */
function segmentsOf({ families }: AttentionCase): { readonly rows: readonly number[][]; readonly tokens: number } {
  const rows: number[][] = [];
  let at = 0;
  for (const [prompt, ...responses] of families) {
    const start = at;
    rows.push([start, prompt, start, 0]);
    at += prompt;
    for (const length of responses) {
      rows.push([at, length, start, prompt]);
      at += length;
    }
  }
  return { rows, tokens: at + 3 };
}

/** Tensors of a case, by name. */
export function attentionInputs(item: AttentionCase) {
  const { heads, groups, dim } = item;
  const { rows, tokens } = segmentsOf(item);
  return {
    q: tensor([tokens * heads, dim], 1),
    k: tensor([tokens * groups, dim], 2),
    v: tensor([tokens * groups, dim], 3),
    g: tensor([tokens * heads, dim], 4),
    segments: { shape: [rows.length, 4], data: Int32Array.from(rows.flat()) },
  };
}

/** Output and gradients, by the equations of attention and of its softmax, one query after the other. */
export function attentionInFloat64(item: AttentionCase): Readonly<Record<'output' | 'dq' | 'dk' | 'dv', Float64Array>> {
  const { heads, groups, dim, window = Number.POSITIVE_INFINITY, cap } = item;
  const { q, k, v, g } = attentionInputs(item);
  const [output, dq] = [new Float64Array(q.data.length), new Float64Array(q.data.length)];
  const [dk, dv] = [new Float64Array(k.data.length), new Float64Array(k.data.length)];
  const dot = (a: ArrayLike<number>, at: number, b: ArrayLike<number>, bt: number): number => {
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += a[at + i]! * b[bt + i]!;
    return sum;
  };
  const add = (to: Float64Array, at: number, factor: number, from: ArrayLike<number>, ft: number): void => {
    for (let i = 0; i < dim; i++) to[at + i]! += factor * from[ft + i]!;
  };
  for (const [start, length, contextStart, contextLength] of segmentsOf(item).rows as [
    number,
    number,
    number,
    number,
  ][]) {
    for (let token = 0; token < length; token++) {
      const all = [
        ...Array.from({ length: contextLength }, (_, i) => contextStart + i),
        ...Array.from({ length: token + 1 }, (_, i) => start + i),
      ];
      const seen = all.slice(-Math.min(window, all.length));
      for (let head = 0; head < heads; head++) {
        const row = ((start + token) * heads + head) * dim;
        const keys = seen.map((key) => (key * groups + Math.floor(head / (heads / groups))) * dim);
        const raw = keys.map((key) => dot(q.data, row, k.data, key));
        const scores = raw.map((score) => (cap === undefined ? score : cap * Math.tanh(score / cap)));
        const top = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
        const weights = scores.map((score) => Math.exp(score - top) / total);
        for (const [i, key] of keys.entries()) add(output, row, weights[i]!, v.data, key);
        const mean = dot(output, row, g.data, row);
        for (const [i, key] of keys.entries()) {
          const bend = cap === undefined ? 1 : 1 - (scores[i]! / cap) ** 2;
          const slope = weights[i]! * (dot(g.data, row, v.data, key) - mean) * bend;
          add(dv, key, weights[i]!, g.data, row);
          add(dq, row, slope, k.data, key);
          add(dk, key, slope, q.data, row);
        }
      }
    }
  }
  return { output, dq, dk, dv };
}

/** Attention and its gradients by the fused kernels, of the values of {@link attentionInputs}. */
export function writeAttention(
  of: Readonly<Record<string, Value>>,
  item: AttentionCase,
  dtype: kernels.FloatType,
): Readonly<Record<'output' | 'dq' | 'dk' | 'dv', Value>> {
  const [query, key, value, gradient] = [of.q!, of.k!, of.v!, of.g!].map((x) => ops.cast(x, dtype)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const inputs = { query, key, value, segments: of.segments! };
  const [output, scales] = kernels.attention(inputs, item);
  const [dq, dk, dv] = kernels.attentionGradient({ output, scales, gradient }, inputs, item);
  return { output, dq: dq!, dk: dk!, dv: dv! };
}
