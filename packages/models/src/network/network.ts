import { type Graph, inScope, keep, operations as ops, product, type Value } from '@metaapo/engine';
import { attention, attentionMask, type TileRows } from './attention.js';
import { gatedSilu, linear, type Precision, type RotaryTables, rmsNorm, rotate } from './layers.js';
import type { NetworkConfig } from './network-config.js';
import type { Parameters } from './parameters.js';

/** What the graph of one pass reads, beside the parameters. */
interface PassInputs {
  readonly tokens: Value;
  readonly rows: TileRows;
  readonly queryTables: RotaryTables;
  readonly keyTables: RotaryTables;
  /** One mask for each window that a layer has. */
  readonly maskOf: (window: number | undefined) => Value;
  readonly predictingRows: Value;
}

/** Declares the inputs of a pass over a packed layout; their names are the keys of `feedsOf`. */
function passInputs(graph: Graph, config: NetworkConfig): PassInputs {
  const { heads, keyValueHeads, headDim } = config;
  const repeats = heads / keyValueHeads;
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
  const queryPositions = ops.input(graph, 'queryPositions', ['tiles', 'queries'], 'int32');
  const keyPositions = ops.input(graph, 'keyPositions', ['tiles', 'keys'], 'int32');
  const masks = new Map<number | undefined, Value>();
  return {
    tokens,
    rows: {
      queryRows: ops.input(graph, 'queryRows', [keyValueHeads, 'tiles', repeats, 'queries'], 'int32'),
      keyRows: ops.input(graph, 'keyRows', [keyValueHeads, 'tiles', 'keys'], 'int32'),
      slots: ops.reshape(ops.input(graph, 'slots', ['tokens', heads], 'int32'), [product(heads, 'tokens')]),
    },
    // The rotation is linear, so the scale 1/sqrt(d) of the scores goes into the queries' tables.
    queryTables: tables(heads, 1 / Math.sqrt(headDim)),
    keyTables: tables(keyValueHeads, 1),
    maskOf(window) {
      const known = masks.get(window);
      if (known !== undefined) return known;
      const mask = attentionMask(queryPositions, keyPositions, repeats, window);
      masks.set(window, mask);
      return mask;
    },
    predictingRows: ops.input(graph, 'predictingRows', ['predicted'], 'int32'),
  };
}

/**
 * Final hidden states, normalised, at the tokens after which something is predicted: `[M, hidden]`.
 * Pre-norm decoder blocks as Llama, Qwen2, Qwen3 and Mistral have them.
 */
export function hiddenStates(graph: Graph, config: NetworkConfig, parameters: Parameters, precision: Precision): Value {
  const pass = passInputs(graph, config);
  let x = keep(ops.gather(parameters.read('model.embed_tokens.weight'), pass.tokens), 'block');
  for (let layer = 0; layer < config.layers; layer++) {
    x = inScope(graph, `layers/${layer}`, () => block(x, layer, config, parameters, pass, precision));
  }
  const predicting = ops.gather(x, pass.predictingRows);
  return inScope(graph, 'norm', () => rmsNorm(predicting, parameters.read('model.norm.weight'), config.rmsNormEps));
}

function block(
  x: Value,
  layer: number,
  config: NetworkConfig,
  parameters: Parameters,
  pass: PassInputs,
  precision: Precision,
): Value {
  const name = `model.layers.${layer}`;
  const { graph } = x;
  const attended = inScope(graph, 'attention', () => {
    const normed = rmsNorm(x, parameters.read(`${name}.input_layernorm.weight`), config.rmsNormEps);
    return selfAttention(
      normed,
      `${name}.self_attn`,
      config.slidingWindows[layer],
      config,
      parameters,
      pass,
      precision,
    );
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

function selfAttention(
  x: Value,
  name: string,
  window: number | undefined,
  config: NetworkConfig,
  parameters: Parameters,
  pass: PassInputs,
  precision: Precision,
): Value {
  const { heads, keyValueHeads, headDim } = config;
  const project = (which: 'q' | 'k' | 'v', count: number): Value => {
    const y = keep(linear(x, parameters.linear(`${name}.${which}_proj`), precision), 'matmul');
    const rows = ops.reshape(y, [product(count, 'tokens'), headDim]);
    if (!config.qkNorm || which === 'v') return rows;
    return rmsNorm(rows, parameters.read(`${name}.${which}_norm.weight`), config.rmsNormEps);
  };
  const query = rotate(project('q', heads), pass.queryTables);
  const key = rotate(project('k', keyValueHeads), pass.keyTables);
  const output = attention(query, key, project('v', keyValueHeads), pass.rows, pass.maskOf(window), headDim);
  const joined = keep(ops.reshape(output, ['tokens', heads * headDim]), 'matmul');
  return linear(joined, parameters.linear(`${name}.o_proj`), precision);
}
