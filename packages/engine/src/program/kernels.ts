import { MetaapoError } from '@metaapo/core/contracts';
import { addNode, type KernelAttributes, type KernelName, type OutputSpecification, type Value } from './program.js';

/** Element type that a fused kernel reads or gives. */
export type FloatType = 'float32' | 'bfloat16';

/** All of them. */
export const ALL: ReadonlySet<KernelName> = new Set([
  ...(['RmsNorm', 'RmsNormGradient', 'GatedSilu', 'GatedSiluGradient', 'Rotate'] as const),
  ...(['Losses', 'Residual', 'Attention', 'AttentionGradient', 'CachedAttention', 'Draw'] as const),
]);

function call(attributes: KernelAttributes, inputs: readonly Value[], outputs: readonly OutputSpecification[]) {
  const { graph } = inputs[0]!;
  if (graph.kernels.has(attributes.kernel)) return addNode(graph, 'kernel', attributes, inputs, outputs);
  throw new MetaapoError('internal', 'a graph calls a fused kernel that its executor lacks', {
    where: attributes.kernel,
  });
}

const like = (value: Value, dtype: Value['dtype'] = value.dtype): OutputSpecification => ({
  shape: value.shape,
  dtype,
});

/**
 * Root-mean-square normalisation in one pass: w * x / sqrt(mean(x^2) + epsilon).
 * @param x `[n, d]` float32 or bfloat16
 * @param weight `[d]` float32
 * @param dtype of the result
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number, dtype: FloatType): Value {
  return call({ kernel: 'RmsNorm', epsilon }, [x, weight], [like(x, dtype)])[0]!;
}

/** The gradients of x and of the weight of {@link rmsNorm}, in float32. */
export function rmsNormGradient(gradient: Value, x: Value, weight: Value, epsilon: number): readonly Value[] {
  const outputs = [like(x, 'float32'), like(weight, 'float32')];
  return call({ kernel: 'RmsNormGradient', epsilon }, [gradient, x, weight], outputs);
}

/** silu(gate) * up in one pass; both `[n, f]` of one type. */
export function gatedSilu(gate: Value, up: Value, dtype: FloatType): Value {
  return call({ kernel: 'GatedSilu' }, [gate, up], [like(gate, dtype)])[0]!;
}

/** The gradients of the gate and of the other half, in their type. */
export function gatedSiluGradient(gradient: Value, gate: Value, up: Value): readonly Value[] {
  return call({ kernel: 'GatedSiluGradient' }, [gradient, gate, up], [like(gate), like(up)]);
}

/** Angles of tokens and how they turn heads. */
export interface Rotation {
  /** `[N, r / 2]` float32. */
  readonly cosines: Value;
  readonly sines: Value;
  /** Heads of a token. */
  readonly heads: number;
  /** Factor of the whole result. */
  readonly scale: number;
}

/**
 * Heads `[N*h, d]` whose first r numbers are turned by their token's angles, in pairs (i, i + r/2).
 * @param back by the negative angles, which is the gradient
 */
export function rotate(x: Value, { cosines, sines, heads, scale }: Rotation, dtype: FloatType, back = false): Value {
  return call({ kernel: 'Rotate', heads, scale, back }, [x, cosines, sines], [like(x, dtype)])[0]!;
}

/** -log softmax of logits `[n, v]` at the targets `[n]` int32: float32 `[n]`. */
export function losses(logits: Value, targets: Value): Value {
  return call({ kernel: 'Losses' }, [logits, targets], [like(targets, 'float32')])[0]!;
}

/** The gradient softmax - onehot `[n, v]` of {@link losses}, in the memory of the logits where it can be. */
export function residual(logits: Value, targets: Value, dtype: FloatType): Value {
  return call({ kernel: 'Residual' }, [logits, targets], [like(logits, dtype)])[0]!;
}

/**
 * Draws a column of each row by the inverse of the cumulative softmax.
 * @param logits `[n, v]` float32
 * @param shares `[n]` float32 in [0, 1]: where to look
 * @returns columns `[n]` int32 whose softmax is above zero, and log softmax there `[n]`
 */
export function draw(logits: Value, shares: Value): readonly [Value, Value] {
  const outputs = [like(shares, 'int32'), like(shares)];
  return call({ kernel: 'Draw' }, [logits, shares], outputs) as readonly [Value, Value];
}

/** Which heads attend, and what they see. */
export interface AttentionHeads {
  /** Query heads of a token. */
  readonly heads: number;
  /** Heads of keys and values, of which each serves as many query heads. */
  readonly groups: number;
  /** Keys that a query sees, its own token's included. */
  readonly window?: number | undefined;
  /** Bound of the scores. */
  readonly cap?: number | undefined;
}

/** Queries `[N*h, d]`, keys and values `[N*g, d]` of one type, and what attends to what. */
export interface AttentionInputs {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  /**
   * `[S, 4]` int32: start and length of a run of tokens, start and length of the tokens that it sees whole. A run without
   * such a context begins a family: those behind it have it as their context, and each sees itself up to each token.
   */
  readonly segments: Value;
}

const attributesOf = ({ heads, groups, window = 0, cap = 0 }: AttentionHeads) => ({ heads, groups, window, cap });
const listOf = ({ query, key, value, segments }: AttentionInputs): Value[] => [query, key, value, segments];

/**
 * Attention by tiles, without the scores in memory (arXiv 2205.14135); the scale is in the queries.
 * @returns the output, like the queries (zero for tokens of no segment), and what the gradient reads of each query's
 * scores, `[N*h, 2]`: the largest, and the inverse sum of the exponentials of the distances to it
 */
export function attention(inputs: AttentionInputs, heads: AttentionHeads): readonly [Value, Value] {
  const { query } = inputs;
  const scales: OutputSpecification = { shape: [query.shape[0]!, 2], dtype: 'float32' };
  const attributes = { kernel: 'Attention', ...attributesOf(heads) } as const;
  return call(attributes, listOf(inputs), [like(query), scales]) as readonly [Value, Value];
}

/** What {@link attention} gave, and the gradient of its output. */
export interface AttentionResults {
  readonly output: Value;
  readonly scales: Value;
  readonly gradient: Value;
}

/** The gradients of queries, keys and values. */
export function attentionGradient(
  { output, scales, gradient }: AttentionResults,
  inputs: AttentionInputs,
  heads: AttentionHeads,
): readonly Value[] {
  const { query, key, value } = inputs;
  const attributes = { kernel: 'AttentionGradient', ...attributesOf(heads) } as const;
  return call(attributes, [gradient, output, scales, ...listOf(inputs)], [like(query), like(key), like(value)]);
}

/** Queries of one token a sequence, and the caches that hold what they see. */
export interface CachedAttentionInputs {
  /** `[N*h, d]`. */
  readonly query: Value;
  /** `[R, d]`, like the values: tokens have a row each in every group, one group behind the other. */
  readonly keys: Value;
  readonly values: Value;
  /**
   * `[N, 6]` int32: of the prompt, and then of the sequence's own tokens, the row of the first in the first group, the rows
   * from one group to the next, and how many there are.
   */
  readonly sequences: Value;
}

/**
 * Attention of each query to a prompt and to the tokens behind it, read where they lie; the scale is in the queries.
 * @returns like the queries; zero for sequences that see nothing
 */
export function cachedAttention(inputs: CachedAttentionInputs, heads: AttentionHeads): Value {
  const { query, keys, values, sequences } = inputs;
  const attributes = { kernel: 'CachedAttention', ...attributesOf(heads) } as const;
  return call(attributes, [query, keys, values, sequences], [like(query)])[0]!;
}
