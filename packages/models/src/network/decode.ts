import {
  createGraph,
  finishProgram,
  type Graph,
  operations as ops,
  type Program,
  product,
  type StateDeclaration,
  type Value,
} from '@metaapo/engine';
import { logitsOf } from './head.js';
import { decoderBlocks, finalNorm, hiddenStates, type ProjectedHeads, tokenInputs } from './network.js';
import type { NetworkConfig } from './network-config.js';
import { parametersIn } from './parameters.js';
import type { ProgramOptions } from './programs.js';

/** Tokens of a page: places in the store are given out in pages. */
export const PAGE_TOKENS = 16;
/** Parts that the sequences in flight are cut into, each with places of one length. */
export const FLIGHT_PARTS = 4;

/** Pages that so many tokens of one prompt or response take. */
export const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE_TOKENS);

/** The store of one layer's keys or values: `[pages * g * 16, d]`, a row a token and group. */
function store(kind: 'keys' | 'values', layer: number, pages: number, config: NetworkConfig): StateDeclaration {
  return {
    name: `${kind}/${layer}`,
    shape: [pages * config.keyValueHeads * PAGE_TOKENS, config.headDim],
    dtype: 'float32',
    initially: 'zeros',
  };
}

/**
 * The programs of generation, on a store of keys and values of so many pages. What the sequences in flight attend to lies in
 * it in the order in which it is read, from the front, so that it is read without a copy: `[P, g, L, d]` of the prompts,
 * then `[M, g, T, d]` of the sequences of each part.
 * - `prefill` computes prompts, writes their keys and values to the rows `storeRows` `[N, g]`, and gives the logits
 *   `[predicted, V]` after them;
 * - `decode` computes one token for each of N sequences in flight (see {@link attendToStore}) and gives the logits after it;
 * - `move` copies pages `from` `[n]` to the places `to` `[n]`, counted in 16 rows: one page and group each;
 * - `clear` frees the store.
 */
export function generationPrograms(
  options: ProgramOptions,
  pages: number,
): Readonly<Record<'prefill' | 'decode' | 'move' | 'clear', Program>> {
  const { config } = options;
  return {
    prefill: prefillProgram(options, pages),
    decode: decodeProgram(options, pages),
    move: storeProgram('move', config, pages, (graph, state) => {
      const [from, to] = [ops.input(graph, 'from', ['moved'], 'int32'), ops.input(graph, 'to', ['moved'], 'int32')];
      ops.moveRowsOfState(graph, state, PAGE_TOKENS * config.headDim, from, to);
    }),
    clear: storeProgram('clear', config, pages, ops.clearState),
  };
}

/** Does the same to the keys and the values of every layer. */
function storeProgram(
  name: string,
  config: NetworkConfig,
  pages: number,
  apply: (graph: Graph, state: StateDeclaration) => void,
): Program {
  const graph = createGraph(name);
  for (let layer = 0; layer < config.layers; layer++) {
    for (const kind of ['keys', 'values'] as const) apply(graph, store(kind, layer, pages, config));
  }
  return finishProgram(graph, {});
}

function prefillProgram({ config, parameters, adapters, precision }: ProgramOptions, pages: number): Program {
  const graph = createGraph('prefill');
  const read = parametersIn(graph, parameters, adapters);
  const rows = storeRows(graph, config);
  const hidden = hiddenStates(graph, config, read, precision, (heads, layer) =>
    keepInStore(graph, heads, layer, rows, config, pages),
  );
  return finishProgram(graph, { logits: logitsOf(hidden, config, read, precision) });
}

function storeRows(graph: Graph, { keyValueHeads }: NetworkConfig): Value {
  const rows = ops.input(graph, 'storeRows', ['tokens', keyValueHeads], 'int32');
  return ops.reshape(rows, [product(keyValueHeads, 'tokens')]);
}

function decodeProgram({ config, parameters, adapters, precision }: ProgramOptions, pages: number): Program {
  const graph = createGraph('decode');
  const read = parametersIn(graph, parameters, adapters);
  const rows = storeRows(graph, config);
  const flight = flightInputs(graph, config);
  const x = decoderBlocks(graph, config, read, precision, tokenInputs(graph, config), (heads, layer) => {
    keepInStore(graph, heads, layer, rows, config, pages);
    return attendToStore(graph, heads.query, layer, flight, config, pages);
  });
  return finishProgram(graph, { logits: logitsOf(finalNorm(graph, x, config, read), config, read, precision) });
}

function keepInStore(
  graph: Graph,
  { key, value }: ProjectedHeads,
  layer: number,
  rows: Value,
  config: NetworkConfig,
  pages: number,
): void {
  ops.replaceRowsOfState(graph, store('keys', layer, pages, config), key, rows);
  ops.replaceRowsOfState(graph, store('values', layer, pages, config), value, rows);
}

/**
 * What the sequences in flight attend to. N sequences (`tokens`) continue P prompts, at most K of them each; a prompt's
 * keys are read once for all of its sequences.
 */
interface FlightInputs {
  /** The sequences by parts, one behind the other. */
  readonly parts: readonly FlightPart[];
  /** `[P*g*K]` int32: sequence * g + group of each prompt's groups and places; any sequence for an empty place. */
  readonly inPrompts: Value;
  /** `[N*g]` int32: where each sequence's groups are among those. */
  readonly inSequences: Value;
}

/** Sequences that follow one another, of about one age: each is padded to the longest of them only. */
interface FlightPart {
  /** M, its sequences. */
  readonly members: string;
  /** T, tokens that each has a place for. */
  readonly own: string;
  /** L + T, keys that each attends to. */
  readonly seen: string;
  /** One `[M, L + T]` float32 for each window of the layers: 0 where a key is seen, -1e9 where it is not. */
  readonly maskOf: (window: number | undefined) => Value;
}

/** Input name of the mask of a window, for one of the parts. */
export function maskName(window: number | undefined, part: number): string {
  return window === undefined ? `mask${part}` : `mask${part}/${window}`;
}

function flightInputs(graph: Graph, { slidingWindows, keyValueHeads: g }: NetworkConfig): FlightInputs {
  const flat = (name: string, shape: readonly (number | string)[]): Value =>
    ops.reshape(ops.input(graph, name, shape, 'int32'), [product(...shape)]);
  const parts = Array.from({ length: FLIGHT_PARTS }, (_, part): FlightPart => {
    const [members, own, seen] = [`members${part}`, `own${part}`, `seen${part}`];
    const masks = new Map<number | undefined, Value>();
    for (const window of new Set(slidingWindows)) {
      masks.set(window, ops.input(graph, maskName(window, part), [members, seen]));
    }
    return { members, own, seen, maskOf: (window) => masks.get(window)! };
  });
  // Without an element: its shape gives the sizes.
  ops.input(graph, 'sizes', [0, 'context', ...parts.map(({ own }) => own)], 'int32');
  return {
    parts,
    inPrompts: flat('inPrompts', ['prompts', g, 'places']),
    inSequences: flat('inSequences', ['tokens', g]),
  };
}

/**
 * Attention of one query a sequence to the prompt it shares and to its own tokens: softmax over both together.
 * @param query `[N*h, d]`, h = g*r
 * @returns `[N*h, d]`
 */
function attendToStore(
  graph: Graph,
  query: Value,
  layer: number,
  { parts, inPrompts, inSequences }: FlightInputs,
  config: NetworkConfig,
  pages: number,
): Value {
  const { heads: h, keyValueHeads: g, headDim: d } = config;
  const r = h / g;
  const prompts = product('prompts', g);
  // Sequences [N*h, width] to the places of their prompts [P*g, K*r, width], and back.
  const toPrompts = (x: Value, width: number | string): Value => {
    const groups = ops.reshape(x, [product('tokens', g), product(r, width)]);
    return ops.reshape(ops.gather(groups, inPrompts), [prompts, product('places', r), width]);
  };
  const toSequences = (x: Value, width: number | string): Value => {
    const groups = ops.reshape(x, [product(prompts, 'places'), product(r, width)]);
    return ops.reshape(ops.gather(groups, inSequences), [product('tokens', h), width]);
  };
  const read = (kind: 'keys' | 'values'): { readonly ofPrompts: Value; readonly own: readonly Value[] } => {
    const sizes = [product(prompts, 'context'), ...parts.map(({ members, own }) => product(members, g, own))];
    const all = ops.readState(graph, store(kind, layer, pages, config));
    const [ofPrompts, ...own] = ops.split(all, sizes, 0, { dropsRest: true });
    return {
      ofPrompts: ops.reshape(ofPrompts!, [prompts, 'context', d]),
      own: own.map((rows, part) => ops.reshape(rows, [product(parts[part]!.members, g), parts[part]!.own, d])),
    };
  };
  const [keys, values] = [read('keys'), read('values')];
  const heads = parts.map(({ members }) => product(members, h));
  const onPrompts = toSequences(ops.batchMatmul(toPrompts(query, d), keys.ofPrompts, { transposeB: true }), 'context');
  const [queries, scores] = [ops.split(query, heads, 0), ops.split(onPrompts, heads, 0)];
  const attended = parts.map(({ members, own, seen, maskOf }, part) => {
    const grouped = ops.reshape(queries[part]!, [product(members, g), r, d]);
    const onOwn = ops.batchMatmul(grouped, keys.own[part]!, { transposeB: true });
    const both = ops.concat([scores[part]!, ops.reshape(onOwn, [heads[part]!, own])], 1, seen);
    const mask = ops.reshape(maskOf(config.slidingWindows[layer]), [members, 1, seen]);
    const masked = ops.add(ops.reshape(both, [members, h, seen]), mask);
    const weights = ops.softmax(ops.reshape(masked, [heads[part]!, seen]));
    const [toPrompt, toOwn] = ops.split(weights, ['context', own], 1) as readonly [Value, Value];
    const fromOwn = ops.batchMatmul(ops.reshape(toOwn, [product(members, g), r, own]), values.own[part]!);
    return { toPrompt, fromOwn: ops.reshape(fromOwn, [heads[part]!, d]) };
  });
  const joined = (parts: readonly Value[]): Value => ops.concat(parts, 0, product('tokens', h));
  const weights = toPrompts(joined(attended.map(({ toPrompt }) => toPrompt)), 'context');
  const fromPrompts = toSequences(ops.batchMatmul(weights, values.ofPrompts), d);
  return ops.add(fromPrompts, joined(attended.map(({ fromOwn }) => fromOwn)));
}
