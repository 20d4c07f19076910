import { type Graph, kernels, operations as ops, product, type Value } from '@metaapo/engine';
import { softCap } from './layers.js';
import type { PassConfig, TransformerConfig } from './transformer-config.js';

/** The KV cache of a layer: `[pages * g * 16, d]` each, a row a token and group. */
export type CacheOfLayer = Readonly<Record<'keys' | 'values', Value>>;

/**
 * Attention of one query a sequence to the prompt it shares and to its own tokens.
 * @param query `[N*h, d]`, in the order in which the sequences lie in the cache
 * @returns `[N*h, d]`
 */
export type AttendToCache = (query: Value, cache: CacheOfLayer, layer: number) => Value;

/** {@link AttendToCache} by a fused kernel, which reads where the keys of each sequence lie. */
export function attendByKernel(
  graph: Graph,
  { heads, keyValueHeads: groups, scoreCap: cap, slidingWindows }: PassConfig,
): AttendToCache {
  const sequences = ops.input(graph, 'sequences', ['tokens', 6], 'int32');
  return (query, cache, layer) => {
    const form = { heads, groups, window: slidingWindows[layer], cap };
    return kernels.cachedAttention({ query, ...cache, sequences }, form);
  };
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

/** {@link AttendToCache} by TensorFlow's operations, piece by piece. */
export function attendInPieces(graph: Graph, config: PassConfig): AttendToCache {
  const { heads: h, keyValueHeads: g, headDim: d } = config;
  const pieces = batchInputs(graph, config);
  const sizes = pieces.flatMap(({ members, prompts, context, own }) => [
    product(prompts, g, context),
    product(members, g, own),
  ]);
  return (query, { keys, values }, layer) => {
    const cut = (cache: Value): readonly Value[] => ops.split(cache, sizes, 0, { dropsRest: true });
    const [ofKeys, ofValues] = [cut(keys), cut(values)];
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
      const cached = { keys: pieceOf(ofKeys), values: pieceOf(ofValues) };
      return attendInPiece(queries[at]!, cached, piece, config.slidingWindows[layer], config);
    });
    return ops.concat(attended, 0, product('tokens', h));
  };
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
