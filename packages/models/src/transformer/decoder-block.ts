import { inScope, keep, operations as ops, product, type Value } from '@metaapo/engine';
import { gatedGelu, gatedSilu, linear, type Precision, type RotaryTables, rmsNorm, rotate } from './layers.js';
import type { Parameters } from './parameters.js';
import type { TransformerConfig } from './transformer-config.js';

/** Rotated queries, rotated keys and values of one layer: `[N*h, d]`, `[N*g, d]`, `[N*g, d]`. */
export interface ProjectedHeads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/** The attention of one layer: projected heads to `[N*h, d]`. */
export type Attend = (heads: ProjectedHeads, layer: number) => Value;

/** The rotary tables of a layer. */
export interface HeadTables {
  /** One row a query head: token * h + head. The scale of the scores is in it. */
  readonly query: RotaryTables;
  /** One row a key head: token * g + group. */
  readonly key: RotaryTables;
}

/** The graph of a pass as far as all of its layers share it. */
export interface PassScope {
  readonly config: TransformerConfig;
  readonly parameters: Parameters;
  readonly precision: Precision;
  readonly attend: Attend;
}

/** The layer that is being written. */
export interface LayerScope extends PassScope {
  readonly layer: number;
  /** What the names of its tensors begin with. */
  readonly name: string;
  readonly tables: HeadTables;
}

/** Shapes of tensors, by name within their layer. */
export type BlockTensors = Readonly<Record<string, readonly number[]>>;

/** The decoder block of a family. */
export interface DecoderBlock {
  readonly tensors: BlockTensors;
  /** Writes it: hidden states `[N, hidden]` of the tokens to those of the next layer. */
  write(x: Value, layer: LayerScope): Value;
}

/**
 * The normalisation of rows by a stored weight.
 * @param precision of what reads the result
 */
export function normed(
  x: Value,
  name: string,
  { config, parameters }: Pick<PassScope, 'config' | 'parameters'>,
  precision: Precision = 'float32',
): Value {
  const stored = parameters.read(`${name}.weight`);
  const weight = config.normOffset === 0 ? stored : ops.add(stored, config.normOffset);
  return rmsNorm(x, weight, config.rmsNormEps, precision);
}

/** Normalisations around a part of a block, by name within the layer. */
export interface Norms {
  /** Of what goes in. */
  readonly before?: string;
  /** Of what comes out, before it is added. */
  readonly after?: string;
}

/** x + after(part(before(x))); what is normalised afterwards is a matrix product's, hence kept. */
function residual(x: Value, layer: LayerScope, { before, after }: Norms, part: (input: Value) => Value): Value {
  const named = (norm: string): string => `${layer.name}.${norm}`;
  const output = part(before === undefined ? x : normed(x, named(before), layer, layer.precision));
  return after === undefined ? output : normed(keep(output, 'matmul'), named(after), layer);
}

/** Writes x + attention(x), with the given normalisations; `project` makes the heads. */
export function addAttention(
  x: Value,
  layer: LayerScope,
  norms: Norms,
  project: (x: Value, layer: LayerScope) => ProjectedHeads,
): Value {
  const { config, parameters, precision } = layer;
  const attended = inScope(x.graph, 'attention', () =>
    residual(x, layer, norms, (input) => {
      const output = layer.attend(project(input, layer), layer.layer);
      const joined = keep(ops.reshape(output, ['tokens', config.heads * config.headDim]), 'matmul');
      return linear(joined, parameters.linear(`${layer.name}.self_attn.o_proj`), precision);
    }),
  );
  return keep(ops.add(x, attended), 'matmul');
}

/** Writes x + mlp(x), with the given normalisations: the end of a block. */
export function addMlp(x: Value, layer: LayerScope, norms: Norms, mlp: (x: Value, layer: LayerScope) => Value): Value {
  const transformed = inScope(x.graph, 'mlp', () => residual(x, layer, norms, (input) => mlp(input, layer)));
  return keep(ops.add(x, transformed), 'block');
}

/** What queries and keys are normalised by before the rotation: each head, or all heads of a token together. */
export type HeadNorm = 'none' | 'each' | 'together';

/** Heads from `q_proj`, `k_proj` and `v_proj`, with norms `q_norm` and `k_norm` where there are some. */
export function separateHeads(norm: HeadNorm): (x: Value, layer: LayerScope) => ProjectedHeads {
  return (x, layer) => {
    const { heads, keyValueHeads, headDim } = layer.config;
    const attention = `${layer.name}.self_attn`;
    const project = (which: 'q' | 'k' | 'v', count: number): Value => {
      const map = layer.parameters.linear(`${attention}.${which}_proj`);
      const y = keep(linear(x, map, layer.precision), 'matmul');
      const isNormed = which !== 'v';
      const whole = isNormed && norm === 'together' ? normed(y, `${attention}.${which}_norm`, layer) : y;
      const rows = ops.reshape(whole, [product(count, 'tokens'), headDim]);
      return isNormed && norm === 'each' ? normed(rows, `${attention}.${which}_norm`, layer) : rows;
    };
    return {
      query: rotate(project('q', heads), layer.tables.query, layer.precision),
      key: rotate(project('k', keyValueHeads), layer.tables.key, layer.precision),
      value: project('v', keyValueHeads),
    };
  };
}

/** Heads from one map `qkv_proj`, whose rows are those of queries, keys and values. */
export function fusedHeads(x: Value, layer: LayerScope): ProjectedHeads {
  const { heads, keyValueHeads, headDim } = layer.config;
  const all = keep(linear(x, layer.parameters.linear(`${layer.name}.self_attn.qkv_proj`), layer.precision), 'matmul');
  const counts = [heads, keyValueHeads, keyValueHeads];
  const parts = ops.split(
    all,
    counts.map((count) => count * headDim),
    1,
  );
  const [query, key, value] = parts.map((part, at) => ops.reshape(part, [product(counts[at]!, 'tokens'), headDim]));
  const { tables, precision } = layer;
  return { query: rotate(query!, tables.query, precision), key: rotate(key!, tables.key, precision), value: value! };
}

/** The parts of a block, without the norms around them. */
export interface BlockParts {
  readonly heads: (x: Value, layer: LayerScope) => ProjectedHeads;
  readonly mlp: (x: Value, layer: LayerScope) => Value;
}

/** A block as of Llama: what goes into attention and into the MLP is normalised. */
export function preNormBlock({ heads, mlp }: BlockParts): DecoderBlock['write'] {
  return (x, layer) => {
    const middle = addAttention(x, layer, { before: 'input_layernorm' }, heads);
    return addMlp(middle, layer, { before: 'post_attention_layernorm' }, mlp);
  };
}

/** A block as of Gemma 2: what goes into attention and into the MLP is normalised, and what comes out of them too. */
export function sandwichNormBlock({ heads, mlp }: BlockParts): DecoderBlock['write'] {
  return (x, layer) => {
    const around = { before: 'input_layernorm', after: 'post_attention_layernorm' };
    const middle = addAttention(x, layer, around, heads);
    return addMlp(middle, layer, { before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' }, mlp);
  };
}

/** A block as of OLMo 2: what comes out of attention and of the MLP is normalised. */
export function postNormBlock({ heads, mlp }: BlockParts): DecoderBlock['write'] {
  return (x, layer) => {
    const middle = addAttention(x, layer, { after: 'post_attention_layernorm' }, heads);
    return addMlp(middle, layer, { after: 'post_feedforward_layernorm' }, mlp);
  };
}

/** Activation of the gate, times the other half. */
export const GATED = { silu: gatedSilu, gelu: gatedGelu } as const;

/** An MLP with maps `gate_proj`, `up_proj` and `down_proj`. */
export function gatedMlp(activation: keyof typeof GATED): (x: Value, layer: LayerScope) => Value {
  return (x, { name, parameters, precision }) => {
    const gate = keep(linear(x, parameters.linear(`${name}.mlp.gate_proj`), precision), 'matmul');
    const up = keep(linear(x, parameters.linear(`${name}.mlp.up_proj`), precision), 'matmul');
    return linear(GATED[activation](gate, up, precision), parameters.linear(`${name}.mlp.down_proj`), precision);
  };
}

/** An MLP with maps `gate_up_proj`, whose rows are those of the gate and of the other half, and `down_proj`. */
export function fusedGatedMlp(activation: keyof typeof GATED): (x: Value, layer: LayerScope) => Value {
  return (x, { name, parameters, precision, config: { intermediateSize } }) => {
    const both = keep(linear(x, parameters.linear(`${name}.mlp.gate_up_proj`), precision), 'matmul');
    const [gate, up] = ops.split(both, [intermediateSize, intermediateSize], 1) as readonly [Value, Value];
    return linear(GATED[activation](gate, up, precision), parameters.linear(`${name}.mlp.down_proj`), precision);
  };
}
