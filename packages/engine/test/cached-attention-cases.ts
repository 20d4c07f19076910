import { kernels, operations as ops, type Value } from '../src/program/index.js';
import type { AttentionCase } from './attention-cases.js';
import { tensor } from './kernel-results.js';

/** Prompts and the sequences that continue them, in lengths that no block divides; one sees nothing. */
export const CACHED_ATTENTION_CASES: readonly AttentionCase[] = [
  {
    name: 'of two prompts',
    families: [
      [70, 9, 1, 23, 5, 90],
      [5, 2],
    ],
    heads: 4,
    groups: 2,
    dim: 16,
  },
  { name: 'of many heads a group', families: [[130, 41]], heads: 14, groups: 2, dim: 64 },
  { name: 'within a window', families: [[30, 3, 17, 40]], heads: 2, groups: 1, dim: 8, window: 23 },
  { name: 'of bounded scores and odd sizes', families: [[33, 2, 67]], heads: 3, groups: 1, dim: 12, cap: 1.5 },
  { name: 'of wide heads', families: [[40, 19, 1]], heads: 2, groups: 2, dim: 150 },
  { name: 'of a sequence that sees nothing', families: [[0, 0, 3]], heads: 3, groups: 1, dim: 7 },
];

/** Places of the cache are longer than what lies in them. */
const roomFor = (tokens: number): number => tokens + 3;

function placesOf({ families, groups }: AttentionCase): {
  readonly rows: readonly number[][];
  readonly end: number;
} {
  let end = 0;
  const place = (tokens: number): readonly number[] => {
    const span = [end, roomFor(tokens), tokens];
    end += groups * roomFor(tokens);
    return span;
  };
  const rows = families.flatMap(([prompt, ...own]) => {
    const context = place(prompt);
    return own.map((tokens) => [...context, ...place(tokens)]);
  });
  return { rows, end };
}

/** Tensors of a case, by name. */
export function cachedAttentionInputs(item: AttentionCase) {
  const { heads, dim } = item;
  const { rows, end } = placesOf(item);
  return {
    query: tensor([rows.length * heads, dim], 1),
    keys: tensor([end, dim], 2),
    values: tensor([end, dim], 3),
    sequences: { shape: [rows.length, 6], data: Int32Array.from(rows.flat()) },
  };
}

/** The output by the equations, one query after the other. */
export function cachedAttentionInFloat64(item: AttentionCase): Float64Array {
  const { heads, groups, dim, window = Number.POSITIVE_INFINITY, cap } = item;
  const { query, keys, values } = cachedAttentionInputs(item);
  const output = new Float64Array(query.data.length);
  for (const [sequence, spans] of placesOf(item).rows.entries()) {
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / groups));
      const all = [spans.slice(0, 3), spans.slice(3)].flatMap(([row, stride, tokens]) =>
        Array.from({ length: tokens! }, (_, token) => row! + group * stride! + token),
      );
      const seen = all.slice(-Math.min(window, all.length));
      const at = (sequence * heads + head) * dim;
      const scores = seen.map((row) => {
        let score = 0;
        for (let i = 0; i < dim; i++) score += query.data[at + i]! * keys.data[row * dim + i]!;
        return cap === undefined ? score : cap * Math.tanh(score / cap);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [k, row] of seen.entries()) {
        for (let i = 0; i < dim; i++) output[at + i]! += (weights[k]! / total) * values.data[row * dim + i]!;
      }
    }
  }
  return output;
}

/** Types of the queries and of the cache. */
export type CachedAttentionTypes = Readonly<Record<'query' | 'cache', kernels.FloatType>>;

/** The output by the fused kernel, of the values of {@link cachedAttentionInputs}. */
export function writeCachedAttention(
  of: Readonly<Record<string, Value>>,
  item: AttentionCase,
  types: CachedAttentionTypes,
): Readonly<Record<'output', Value>> {
  const inputs = {
    query: ops.cast(of.query!, types.query),
    keys: ops.cast(of.keys!, types.cache),
    values: ops.cast(of.values!, types.cache),
    sequences: of.sequences!,
  };
  return { output: kernels.cachedAttention(inputs, item) };
}
