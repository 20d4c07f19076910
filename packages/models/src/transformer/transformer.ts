import { type Graph, inBlock, inScope, keep, operations as ops, product, type Value } from '@metaapo/engine';
import { attention, attentionMask, fusedAttention, type TilePiece, type TileRows } from './attention.js';
import { type Attend, type HeadTables, normed, type PassScope, type ProjectedHeads } from './decoder-block.js';
import type { Precision, RotaryTables } from './layers.js';
import type { Parameters } from './parameters.js';
import { angleNames } from './rotary.js';
import type { PassConfig, TransformerConfig } from './transformer-config.js';

/** Tokens `[N]` of a pass and the rotary tables of their heads, one a rotary embedding of the model. */
export interface TokenInputs {
  readonly tokens: Value;
  readonly tables: readonly HeadTables[];
}

/** What the graph of a packed pass reads, beside the parameters. */
interface PassInputs extends TokenInputs {
  readonly attend: Attend;
  readonly predictingRows: Value;
}

/** Declares the inputs `tokens` and, of each rotary embedding, the cosines and sines of a pass over N tokens. */
export function tokenInputs(graph: Graph, config: TransformerConfig): TokenInputs {
  const tokens = ops.input(graph, 'tokens', ['tokens'], 'int32');
  return { tokens, tables: config.ropes.map((_, rope) => headTables(graph, rope, config)) };
}

function headTables(graph: Graph, rope: number, config: TransformerConfig): HeadTables {
  const half = config.ropes[rope]!.dims / 2;
  const names = angleNames(rope);
  const cosines = ops.input(graph, names.cosines, ['tokens', half]);
  const sines = ops.input(graph, names.sines, ['tokens', half]);
  const tables = (count: number, scale: number): RotaryTables => {
    const perHead = (table: Value): Value => {
      const wide = ops.broadcastTo(ops.reshape(table, ['tokens', 1, half]), ['tokens', count, half]);
      const rows = ops.reshape(wide, [product(count, 'tokens'), half]);
      return scale === 1 ? rows : ops.multiply(rows, scale);
    };
    return { cosines: perHead(cosines), sines: perHead(sines), scale, ofTokens: { cosines, sines, heads: count } };
  };
  // The rotation is linear, so the scale of the scores goes into the queries' tables.
  return { query: tables(config.heads, config.scoreScale), key: tables(config.keyValueHeads, 1) };
}

/** Declares the inputs of a pass over a packed layout; their names are the keys of `feedsOf`. */
function passInputs(graph: Graph, config: PassConfig): PassInputs {
  return {
    ...tokenInputs(graph, config),
    attend: graph.kernels.has('Attention') ? attendToSegments(graph, config) : attendInTiles(graph, config),
    predictingRows: ops.input(graph, 'predictingRows', ['predicted'], 'int32'),
  };
}

function attendToSegments(graph: Graph, config: PassConfig): Attend {
  const segments = ops.input(graph, 'segments', ['segments', 4], 'int32');
  return (heads, layer) => fusedAttention(heads, segments, config, config.slidingWindows[layer]);
}

function attendInTiles(graph: Graph, config: PassConfig): Attend {
  const { heads, keyValueHeads } = config;
  const repeats = heads / keyValueHeads;
  const pieces = Array.from({ length: config.attentionPieces }, (_, at): TilePiece => {
    const [tiles, queries, keys] = [`tiles${at}`, `queries${at}`, `keys${at}`];
    return {
      queryPositions: ops.input(graph, `queryPositions${at}`, [tiles, queries], 'int32'),
      keyPositions: ops.input(graph, `keyPositions${at}`, [tiles, keys], 'int32'),
      keyRows: ops.input(graph, `keyRows${at}`, [keyValueHeads, tiles, keys], 'int32'),
    };
  });
  // The masks of the pieces, for each window that a layer has.
  const masks = new Map(
    [...new Set(config.slidingWindows)].map((window) => [
      window,
      pieces.map((piece) => attentionMask(piece, repeats, window)),
    ]),
  );
  const rows: TileRows = {
    queryRows: ops.input(graph, 'queryRows', ['slots'], 'int32'),
    slots: ops.reshape(ops.input(graph, 'slots', ['tokens', heads], 'int32'), [product(heads, 'tokens')]),
    pieces,
  };
  return (projected, layer) => attention(projected, rows, masks.get(config.slidingWindows[layer])!, config);
}

/** Receives the keys and values of a layer as they are made. */
export type KeepKeys = (heads: ProjectedHeads, layer: number) => void;

/** Final hidden states, normalised, at the tokens after which something is predicted: `[M, hidden]`. */
export function hiddenStates(
  graph: Graph,
  config: PassConfig,
  parameters: Parameters,
  precision: Precision,
  keepKeys?: KeepKeys,
): Value {
  const pass = passInputs(graph, config);
  const attend: Attend = (heads, layer) => {
    keepKeys?.(heads, layer);
    return pass.attend(heads, layer);
  };
  const x = decoderBlocks({ config, parameters, precision, attend }, pass);
  return finalNorm(ops.gather(x, pass.predictingRows), { config, parameters });
}

/** The normalisation before the head. */
export function finalNorm(x: Value, scope: Pick<PassScope, 'config' | 'parameters'>): Value {
  return inScope(x.graph, 'norm', () => normed(x, 'model.norm', scope));
}

/** Embedding and all decoder blocks: hidden states `[N, hidden]` of the tokens. */
export function decoderBlocks(scope: PassScope, { tokens, tables }: TokenInputs): Value {
  const { config, parameters } = scope;
  const rows = ops.cast(ops.gather(parameters.read('model.embed_tokens.weight'), tokens), 'float32');
  let x = keep(config.embeddingScale === 1 ? rows : ops.multiply(rows, config.embeddingScale), 'block');
  for (let layer = 0; layer < config.layers; layer++) {
    const own = { ...scope, layer, name: `model.layers.${layer}`, tables: tables[config.layerRopes[layer]!]! };
    x = inBlock(tokens.graph, `layers/${layer}`, () => config.block.write(x, own));
  }
  return x;
}
