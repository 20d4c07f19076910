import {
  createGraph,
  finishProgram,
  type Graph,
  inBlock,
  operations as ops,
  type Program,
  product,
  type StateDeclaration,
  type Value,
} from '@metaapo/engine';
import type { Attend, ProjectedHeads } from './decoder-block.js';
import { logitsOf } from './head.js';
import { type Precision, softCap } from './layers.js';
import { parametersIn } from './parameters.js';
import type { ProgramOptions } from './programs.js';
import { decoderBlocks, finalNorm, hiddenStates, tokenInputs } from './transformer.js';
import type { PassConfig, TransformerConfig } from './transformer-config.js';

/** Tokens of a page: places in the cache are given out in pages. */
export const PAGE_TOKENS = 16;

/** Pages that so many tokens of one prompt or response take. */
export const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE_TOKENS);

/** What the KV cache is made of. */
export interface KvCacheForm {
  readonly pages: number;
  /** Element type in which they are kept, and of the factors of attention to them. */
  readonly dtype: Precision;
}

/** The cache of one layer's keys or values: `[pages * g * 16, d]`, a row a token and group. */
function kvCacheState(
  kind: 'keys' | 'values',
  layer: number,
  { pages, dtype }: KvCacheForm,
  { keyValueHeads, headDim }: TransformerConfig,
): StateDeclaration {
  const shape = [pages * keyValueHeads * PAGE_TOKENS, headDim];
  return { name: `${kind}/${layer}`, shape, dtype, initially: 'zeros' };
}

/**
 * The programs of generation, on a KV cache of this form. What the sequences of the batch attend to lies in it in the order
 * in which it is read, from the front, so that it is read without a copy: of each piece `[P, g, L, d]` of the prompts, then
 * `[M, g, T, d]` of their sequences.
 * - `prefill` computes prompts, writes their keys and values to the rows `cacheRows` `[N, g]`, and gives the logits
 *   `[predicted, V]` after them;
 * - `decode` computes one token for each of N sequences of the batch (see {@link attendToCache}) and gives the logits after it;
 * - `move` copies pages `from` `[n]` to the places `to` `[n]`, counted in 16 rows: one page and group each;
 * - `clear` frees the cache.
 */
export function generationPrograms(
  options: ProgramOptions,
  form: KvCacheForm,
): Readonly<Record<'prefill' | 'decode' | 'move' | 'clear', Program>> {
  const { config } = options;
  return {
    prefill: prefillProgram(options, form),
    decode: decodeProgram(options, form),
    move: kvCacheProgram('move', config, form, (graph, state) => {
      const [from, to] = [ops.input(graph, 'from', ['moved'], 'int32'), ops.input(graph, 'to', ['moved'], 'int32')];
      ops.moveRowsOfState(graph, state, PAGE_TOKENS * config.headDim, from, to);
    }),
    clear: kvCacheProgram('clear', config, form, ops.clearState),
  };
}

/** Does the same to the keys and the values of every layer. */
function kvCacheProgram(
  name: string,
  config: TransformerConfig,
  form: KvCacheForm,
  apply: (graph: Graph, state: StateDeclaration) => void,
): Program {
  const graph = createGraph(name);
  for (let layer = 0; layer < config.layers; layer++) {
    inBlock(graph, `layers/${layer}`, () => {
      for (const kind of ['keys', 'values'] as const) apply(graph, kvCacheState(kind, layer, form, config));
    });
  }
  return finishProgram(graph, {});
}

function prefillProgram(options: ProgramOptions, form: KvCacheForm): Program {
  const { config, parameters, adapters, precision, kernels } = options;
  const graph = createGraph('prefill', kernels);
  const read = parametersIn(graph, parameters, adapters);
  const rows = cacheRows(graph, config);
  const hidden = hiddenStates(graph, config, read, precision, (heads, layer) =>
    writeToCache(heads, layer, rows, form, config),
  );
  return finishProgram(graph, { logits: logitsOf(hidden, config, read, precision) });
}

function cacheRows(graph: Graph, { keyValueHeads }: TransformerConfig): Value {
  const rows = ops.input(graph, 'cacheRows', ['tokens', keyValueHeads], 'int32');
  return ops.reshape(rows, [product(keyValueHeads, 'tokens')]);
}

function decodeProgram(options: ProgramOptions, form: KvCacheForm): Program {
  const { config, parameters, adapters, precision, kernels } = options;
  const graph = createGraph('decode', kernels);
  const read = parametersIn(graph, parameters, adapters);
  const rows = cacheRows(graph, config);
  const batch = batchInputs(graph, config);
  const attend: Attend = (heads, layer) => {
    writeToCache(heads, layer, rows, form, config);
    return attendToCache(heads.query, layer, batch, form, config);
  };
  const x = decoderBlocks({ config, parameters: read, precision, attend }, tokenInputs(graph, config));
  const hidden = finalNorm(x, { config, parameters: read });
  return finishProgram(graph, { logits: logitsOf(hidden, config, read, precision) });
}

function writeToCache(
  { key, value }: ProjectedHeads,
  layer: number,
  rows: Value,
  form: KvCacheForm,
  config: TransformerConfig,
): void {
  const { graph } = key;
  ops.replaceRowsOfState(graph, kvCacheState('keys', layer, form, config), ops.cast(key, form.dtype), rows);
  ops.replaceRowsOfState(graph, kvCacheState('values', layer, form, config), ops.cast(value, form.dtype), rows);
}

/** Some of the prompts in the batch and the sequences that continue them: each is padded to the longest of them only. */
interface BatchPiece {
  /** M, its sequences. */
  readonly members: string;
  /** P, its prompts. */
  readonly prompts: string;
  /** K, most sequences of a prompt: its keys are read once for all of them. */
  readonly places: string;
  /** L, tokens that each prompt has a place for. */
  readonly context: string;
  /** T, tokens that each sequence has a place for. */
  readonly own: string;
  /** L + T, keys that each attends to. */
  readonly seen: string;
  /** `[P*g*K]` int32: sequence * g + group in each of the prompts' groups and places; any sequence in an empty place. */
  readonly inPrompts: Value;
  /** `[M*g]` int32: where each sequence's groups are among those. */
  readonly inSequences: Value;
  /** One `[M, L + T]` float32 for each window of the layers: 0 where a key is seen, -1e9 where it is not. */
  readonly maskOf: (window: number | undefined) => Value;
}

/** Input name of the mask of a window, for one of the pieces. */
export function maskName(window: number | undefined, piece: number): string {
  return window === undefined ? `mask${piece}` : `mask${piece}/${window}`;
}

function batchInputs(
  graph: Graph,
  { slidingWindows, keyValueHeads: g, batchPieces }: PassConfig,
): readonly BatchPiece[] {
  const flat = (name: string, shape: readonly (number | string)[]): Value =>
    ops.reshape(ops.input(graph, name, shape, 'int32'), [product(...shape)]);
  const pieces = Array.from({ length: batchPieces }, (_, piece): BatchPiece => {
    const [members, prompts, places] = [`members${piece}`, `prompts${piece}`, `places${piece}`];
    const [context, own, seen] = [`context${piece}`, `own${piece}`, `seen${piece}`];
    const masks = new Map<number | undefined, Value>();
    for (const window of new Set(slidingWindows)) {
      masks.set(window, ops.input(graph, maskName(window, piece), [members, seen]));
    }
    const inPrompts = flat(`inPrompts${piece}`, [prompts, g, places]);
    const inSequences = flat(`inSequences${piece}`, [members, g]);
    const maskOf = (window: number | undefined): Value => masks.get(window)!;
    return { members, prompts, places, context, own, seen, inPrompts, inSequences, maskOf };
  });
  // Without an element: its shape gives the sizes.
  ops.input(graph, 'sizes', [0, ...pieces.flatMap(({ context, own }) => [context, own])], 'int32');
  return pieces;
}

/**
 * Attention of one query a sequence to the prompt it shares and to its own tokens.
 * @param query `[N*h, d]`, the sequences piece by piece
 * @returns `[N*h, d]`
 */
function attendToCache(
  query: Value,
  layer: number,
  pieces: readonly BatchPiece[],
  form: KvCacheForm,
  config: TransformerConfig,
): Value {
  const { heads: h, keyValueHeads: g, headDim: d } = config;
  const sizes = pieces.flatMap(({ members, prompts, context, own }) => [
    product(prompts, g, context),
    product(members, g, own),
  ]);
  const read = (kind: 'keys' | 'values'): readonly Value[] =>
    ops.split(ops.readState(query.graph, kvCacheState(kind, layer, form, config)), sizes, 0, { dropsRest: true });
  const [keys, values] = [read('keys'), read('values')];
  const queries = ops.split(
    query,
    pieces.map(({ members }) => product(members, h)),
    0,
  );
  const attended = pieces.map((piece, at) => {
    const pieceOf = (all: readonly Value[]): CachedHeads => ({
      ofPrompts: ops.reshape(all[2 * at]!, [product(piece.prompts, g), piece.context, d]),
      own: ops.reshape(all[2 * at + 1]!, [product(piece.members, g), piece.own, d]),
    });
    const cached = { keys: pieceOf(keys), values: pieceOf(values) };
    return attendInPiece(queries[at]!, cached, piece, config.slidingWindows[layer], config);
  });
  return ops.concat(attended, 0, product('tokens', h));
}

/** Keys or values of a piece: `[P*g, L, d]` and `[M*g, T, d]`. */
interface CachedHeads {
  readonly ofPrompts: Value;
  readonly own: Value;
}

/**
 * Attention of the sequences of a piece, `[M*h, d]` to `[M*h, d]`, h = g*r: softmax over prompt and own tokens together, in
 * float32; products in the element type of keys and values.
 */
function attendInPiece(
  query: Value,
  { keys, values }: Readonly<Record<'keys' | 'values', CachedHeads>>,
  { members, prompts, places, context, own, seen, inPrompts, inSequences, maskOf }: BatchPiece,
  window: number | undefined,
  { heads: h, keyValueHeads: g, headDim: d, scoreCap }: TransformerConfig,
): Value {
  const r = h / g;
  const rows = product(members, h);
  // Sequences [M*h, width] to the places of their prompts [P*g, K*r, width], and back.
  const toPrompts = (x: Value, width: number | string): Value => {
    const groups = ops.reshape(x, [product(members, g), product(r, width)]);
    return ops.reshape(ops.gather(groups, inPrompts), [product(prompts, g), product(places, r), width]);
  };
  const toSequences = (x: Value, width: number | string): Value => {
    const groups = ops.reshape(x, [product(prompts, g, places), product(r, width)]);
    return ops.reshape(ops.gather(groups, inSequences), [rows, width]);
  };
  const byGroup = (x: Value, width: number | string): Value => ops.reshape(x, [product(members, g), r, width]);
  const times = (x: Value, kept: Value, options?: { readonly transposeB: boolean }): Value =>
    ops.batchMatmul(ops.cast(x, kept.dtype), kept, options);
  const onPrompt = toSequences(times(toPrompts(query, d), keys.ofPrompts, { transposeB: true }), context);
  const onOwn = ops.reshape(times(byGroup(query, d), keys.own, { transposeB: true }), [rows, own]);
  const scores = ops.reshape(ops.concat([onPrompt, onOwn], 1, seen), [members, h, seen]);
  const bounded = scoreCap === undefined ? scores : softCap(scores, scoreCap);
  const masked = ops.add(bounded, ops.reshape(maskOf(window), [members, 1, seen]));
  const weights = ops.softmax(ops.reshape(masked, [rows, seen]));
  const [ofPrompt, ofOwn] = ops.split(weights, [context, own], 1) as readonly [Value, Value];
  const fromPrompt = toSequences(times(toPrompts(ofPrompt, context), values.ofPrompts), d);
  const fromOwn = times(byGroup(ofOwn, own), values.own);
  return ops.add(fromPrompt, ops.reshape(fromOwn, [rows, d]));
}
