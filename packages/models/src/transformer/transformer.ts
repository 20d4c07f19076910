import { type Graph, inScope, keep, operations as ops, product, type Value } from '@metaapo/engine';
import { attention, attentionMask, type TilePart, type TileRows } from './attention.js';
import { gatedSilu, linear, type Precision, type RotaryTables, rmsNorm, rotate } from './layers.js';
import type { Parameters } from './parameters.js';
import type { PassConfig, TransformerConfig } from './transformer-config.js';

/** Tokens `[N]` of a pass and the rotary tables of their heads. */
export interface TokenInputs {
  readonly tokens: Value;
  /** One row a query head: token * h + head. The scale 1 / sqrt(d) of the scores is in it. */
  readonly queryTables: RotaryTables;
  /** One row a key head: token * g + group. */
  readonly keyTables: RotaryTables;
}

/** What the graph of a packed pass reads, beside the parameters. */
interface PassInputs extends TokenInputs {
  readonly rows: TileRows;
  /** The masks of the parts, for each window that a layer has. */
  readonly masksOf: (window: number | undefined) => readonly Value[];
  readonly predictingRows: Value;
}

/** Declares the inputs `tokens`, `cosines` and `sines` of a pass over N tokens. */
export function tokenInputs(graph: Graph, { heads, keyValueHeads, headDim }: TransformerConfig): TokenInputs {
  const tokens = ops.input(graph, 'tokens', ['tokens'], 'int32');
  const cosines = ops.input(graph, 'cosines', ['tokens', headDim / 2]);
  const sines = ops.input(graph, 'sines', ['tokens', headDim / 2]);
  const tables = (count: number, scale: number): RotaryTables => {
    const perHead = (table: Value): Value => {
      const wide = ops.broadcastTo(ops.reshape(table, ['tokens', 1, headDim / 2]), ['tokens', count, headDim / 2]);
      const rows = ops.reshape(wide, [product(count, 'tokens'), headDim / 2]);
      return scale === 1 ? rows : ops.multiply(rows, scale);
    };
    return { cosines: perHead(cosines), sines: perHead(sines) };
  };
  // The rotation is linear, so the scale 1/sqrt(d) of the scores goes into the queries' tables.
  return { tokens, queryTables: tables(heads, 1 / Math.sqrt(headDim)), keyTables: tables(keyValueHeads, 1) };
}

/** Declares the inputs of a pass over a packed layout; their names are the keys of `feedsOf`. */
function passInputs(graph: Graph, config: PassConfig): PassInputs {
  const { heads, keyValueHeads } = config;
  const repeats = heads / keyValueHeads;
  const parts = Array.from({ length: config.attentionParts }, (_, at): TilePart => {
    const [tiles, queries, keys] = [`tiles${at}`, `queries${at}`, `keys${at}`];
    return {
      queryPositions: ops.input(graph, `queryPositions${at}`, [tiles, queries], 'int32'),
      keyPositions: ops.input(graph, `keyPositions${at}`, [tiles, keys], 'int32'),
      keyRows: ops.input(graph, `keyRows${at}`, [keyValueHeads, tiles, keys], 'int32'),
    };
  });
  const masks = new Map<number | undefined, readonly Value[]>();
  return {
    ...tokenInputs(graph, config),
    rows: {
      queryRows: ops.input(graph, 'queryRows', ['slots'], 'int32'),
      slots: ops.reshape(ops.input(graph, 'slots', ['tokens', heads], 'int32'), [product(heads, 'tokens')]),
      parts,
    },
    masksOf(window) {
      const known = masks.get(window);
      if (known !== undefined) return known;
      const made = parts.map((part) => attentionMask(part, repeats, window));
      masks.set(window, made);
      return made;
    },
    predictingRows: ops.input(graph, 'predictingRows', ['predicted'], 'int32'),
  };
}

/** Rotated queries, rotated keys and values of one layer: `[N*h, d]`, `[N*g, d]`, `[N*g, d]`. */
export interface ProjectedHeads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/** The attention of one layer: projected heads to `[N*h, d]`. */
export type Attend = (heads: ProjectedHeads, layer: number) => Value;

/** Receives the keys and values of a layer as they are made. */
export type KeepKeys = (heads: ProjectedHeads, layer: number) => void;

/**
 * Final hidden states, normalised, at the tokens after which something is predicted: `[M, hidden]`.
 * Pre-norm decoder blocks as Llama, Qwen2, Qwen3 and Mistral have them.
 */
export function hiddenStates(
  graph: Graph,
  config: PassConfig,
  parameters: Parameters,
  precision: Precision,
  keepKeys?: KeepKeys,
): Value {
  const pass = passInputs(graph, config);
  const x = decoderBlocks(graph, config, parameters, precision, pass, (heads, layer) => {
    keepKeys?.(heads, layer);
    const masks = pass.masksOf(config.slidingWindows[layer]);
    return attention(heads.query, heads.key, heads.value, pass.rows, masks, config);
  });
  return finalNorm(graph, ops.gather(x, pass.predictingRows), config, parameters);
}

/** The normalisation before the head. */
export function finalNorm(graph: Graph, x: Value, config: TransformerConfig, parameters: Parameters): Value {
  return inScope(graph, 'norm', () => rmsNorm(x, parameters.read('model.norm.weight'), config.rmsNormEps));
}

/** Embedding and all decoder blocks: hidden states `[N, hidden]` of the tokens. */
export function decoderBlocks(
  graph: Graph,
  config: TransformerConfig,
  parameters: Parameters,
  precision: Precision,
  inputs: TokenInputs,
  attend: Attend,
): Value {
  const embedded = ops.gather(parameters.read('model.embed_tokens.weight'), inputs.tokens);
  let x = keep(ops.cast(embedded, 'float32'), 'block');
  for (let layer = 0; layer < config.layers; layer++) {
    x = inScope(graph, `layers/${layer}`, () => block(x, layer, config, parameters, precision, inputs, attend));
  }
  return x;
}

function block(
  x: Value,
  layer: number,
  config: TransformerConfig,
  parameters: Parameters,
  precision: Precision,
  inputs: TokenInputs,
  attend: Attend,
): Value {
  const name = `model.layers.${layer}`;
  const { graph } = x;
  const attended = inScope(graph, 'attention', () => {
    const normed = rmsNorm(x, parameters.read(`${name}.input_layernorm.weight`), config.rmsNormEps);
    const output = attend(projectHeads(normed, `${name}.self_attn`, config, parameters, precision, inputs), layer);
    const joined = keep(ops.reshape(output, ['tokens', config.heads * config.headDim]), 'matmul');
    return linear(joined, parameters.linear(`${name}.self_attn.o_proj`), precision);
  });
  const middle = keep(ops.add(x, attended), 'matmul');
  const transformed = inScope(graph, 'mlp', () => {
    const normed = rmsNorm(middle, parameters.read(`${name}.post_attention_layernorm.weight`), config.rmsNormEps);
    const gate = keep(linear(normed, parameters.linear(`${name}.mlp.gate_proj`), precision), 'matmul');
    const up = keep(linear(normed, parameters.linear(`${name}.mlp.up_proj`), precision), 'matmul');
    return linear(gatedSilu(gate, up), parameters.linear(`${name}.mlp.down_proj`), precision);
  });
  return keep(ops.add(middle, transformed), 'block');
}

function projectHeads(
  x: Value,
  name: string,
  config: TransformerConfig,
  parameters: Parameters,
  precision: Precision,
  inputs: TokenInputs,
): ProjectedHeads {
  const { heads, keyValueHeads, headDim } = config;
  const project = (which: 'q' | 'k' | 'v', count: number): Value => {
    const y = keep(linear(x, parameters.linear(`${name}.${which}_proj`), precision), 'matmul');
    const rows = ops.reshape(y, [product(count, 'tokens'), headDim]);
    if (!config.qkNorm || which === 'v') return rows;
    return rmsNorm(rows, parameters.read(`${name}.${which}_norm.weight`), config.rmsNormEps);
  };
  return {
    query: rotate(project('q', heads), inputs.queryTables),
    key: rotate(project('k', keyValueHeads), inputs.keyTables),
    value: project('v', keyValueHeads),
  };
}
