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

/** Tokens of a page, whose keys lie side by side: they are read together. */
export const PAGE_TOKENS = 16;

/** Pages that so many tokens of one prompt or response take. */
export const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE_TOKENS);

/** The store of one layer's keys or values: `[pages * g, PAGE_TOKENS, d]`, row = page * g + group; free pages are zero. */
function store(kind: 'keys' | 'values', layer: number, pages: number, config: NetworkConfig): StateDeclaration {
  return {
    name: `${kind}/${layer}`,
    shape: [pages * config.keyValueHeads, PAGE_TOKENS, config.headDim],
    dtype: 'float32',
    initially: 'zeros',
  };
}

/**
 * The programs of generation, on a store of keys and values of so many pages:
 * - `prefill` computes prompts, puts their keys and values where `storePlaces` `[N, g, 2]` (row of the store, token in the page)
 *   says, and gives the logits `[predicted, V]` after them;
 * - `decode` computes one token for each of N sequences in flight (see {@link attendToStore}) and gives the logits after it;
 * - `release` makes the rows `[rows]` zero again.
 */
export function generationPrograms(
  options: ProgramOptions,
  pages: number,
): { readonly prefill: Program; readonly decode: Program; readonly release: Program } {
  return {
    prefill: prefillProgram(options, pages),
    decode: decodeProgram(options, pages),
    release: releaseProgram(options.config, pages),
  };
}

function prefillProgram({ config, parameters, adapters, precision }: ProgramOptions, pages: number): Program {
  const graph = createGraph('prefill');
  const read = parametersIn(graph, parameters, adapters);
  const places = storePlaces(graph, config);
  const hidden = hiddenStates(graph, config, read, precision, (heads, layer) =>
    keepInStore(graph, heads, layer, places, config, pages),
  );
  return finishProgram(graph, { logits: logitsOf(hidden, config, read, precision) });
}

function storePlaces(graph: Graph, { keyValueHeads }: NetworkConfig): Value {
  const places = ops.input(graph, 'storePlaces', ['tokens', keyValueHeads, 2], 'int32');
  return ops.reshape(places, [product(keyValueHeads, 'tokens'), 2]);
}

function decodeProgram({ config, parameters, adapters, precision }: ProgramOptions, pages: number): Program {
  const graph = createGraph('decode');
  const read = parametersIn(graph, parameters, adapters);
  const places = storePlaces(graph, config);
  const flight = flightInputs(graph, config);
  const x = decoderBlocks(graph, config, read, precision, tokenInputs(graph, config), (heads, layer) => {
    keepInStore(graph, heads, layer, places, config, pages);
    return attendToStore(graph, heads.query, layer, flight, config, pages);
  });
  return finishProgram(graph, { logits: logitsOf(finalNorm(graph, x, config, read), config, read, precision) });
}

function releaseProgram(config: NetworkConfig, pages: number): Program {
  const graph = createGraph('release');
  const rows = ops.input(graph, 'rows', ['rows'], 'int32');
  for (let layer = 0; layer < config.layers; layer++) {
    for (const kind of ['keys', 'values'] as const) {
      const state = store(kind, layer, pages, config);
      const used = ops.gather(ops.readState(graph, state), rows);
      ops.addRowsToState(graph, state, ops.negate(used), rows, { areDistinct: true });
    }
  }
  return finishProgram(graph, {});
}

function keepInStore(
  graph: Graph,
  { key, value }: ProjectedHeads,
  layer: number,
  places: Value,
  config: NetworkConfig,
  pages: number,
): void {
  ops.addRowsToState(graph, store('keys', layer, pages, config), key, places, { areDistinct: true });
  ops.addRowsToState(graph, store('values', layer, pages, config), value, places, { areDistinct: true });
}

/**
 * Where the sequences in flight find what they attend to. N sequences (`tokens`) continue P prompts, at most K of them
 * each; a prompt's keys are read once for all of its sequences.
 */
interface FlightInputs {
  /** `[P*g*L]` int32: store rows of each prompt's pages, group by group; any row for padding. */
  readonly promptRows: Value;
  /** `[N*g*T]` int32: store rows of each sequence's own pages, group by group; any row for padding. */
  readonly ownRows: Value;
  /** `[P*K]` int32: the sequence in each place of the prompts; any sequence for an empty place. */
  readonly places: Value;
  /** `[N]` int32: the place of each sequence. */
  readonly placeOf: Value;
  /** One `[N, 16 (L+T)]` float32 for each window of the layers: 0 where a key is seen, -1e9 where it is not. */
  readonly maskOf: (window: number | undefined) => Value;
}

/** Input name of the mask of a window. */
export function maskName(window: number | undefined): string {
  return window === undefined ? 'mask' : `mask${window}`;
}

function flightInputs(graph: Graph, { keyValueHeads: g, slidingWindows }: NetworkConfig): FlightInputs {
  const flat = (name: string, shape: readonly (number | string)[]): Value =>
    ops.reshape(ops.input(graph, name, shape, 'int32'), [product(...shape)]);
  const masks = new Map<number | undefined, Value>();
  for (const window of new Set(slidingWindows)) {
    masks.set(window, ops.input(graph, maskName(window), ['tokens', 'seen']));
  }
  return {
    promptRows: flat('promptRows', ['prompts', g, 'contextPages']),
    ownRows: flat('ownRows', ['tokens', g, 'ownPages']),
    places: flat('places', ['prompts', 'places']),
    placeOf: ops.input(graph, 'placeOf', ['tokens'], 'int32'),
    maskOf: (window) => masks.get(window)!,
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
  flight: FlightInputs,
  config: NetworkConfig,
  pages: number,
): Value {
  const { heads: h, keyValueHeads: g, headDim: d } = config;
  const r = h / g;
  const [context, own] = [product(PAGE_TOKENS, 'contextPages'), product(PAGE_TOKENS, 'ownPages')];
  const read = (kind: 'keys' | 'values', rows: Value, batch: number | string, count: number | string): Value => {
    const all = ops.readState(graph, store(kind, layer, pages, config));
    return ops.reshape(ops.gather(all, rows), [batch, count, d]);
  };
  const prompts = product('prompts', g);
  const sequences = product('tokens', g);
  // Sequences [N, g*r*width] to the places of their prompts [P*g, K*r, width], and back.
  const toPrompts = (x: Value, width: number | string): Value => {
    const placed = ops.gather(ops.reshape(x, ['tokens', product(h, width)]), flight.places);
    const split = ops.reshape(placed, ['prompts', 'places', g, product(r, width)]);
    return ops.reshape(ops.transpose(split, [0, 2, 1, 3]), [prompts, product('places', r), width]);
  };
  const toSequences = (x: Value, width: number | string): Value => {
    const split = ops.reshape(x, ['prompts', g, 'places', product(r, width)]);
    const placed = ops.reshape(ops.transpose(split, [0, 2, 1, 3]), [product('prompts', 'places'), product(h, width)]);
    return ops.reshape(ops.gather(placed, flight.placeOf), [product('tokens', h), width]);
  };
  const promptKeys = read('keys', flight.promptRows, prompts, context);
  const ownKeys = read('keys', flight.ownRows, sequences, own);
  const scores = ops.concat(
    [
      toSequences(ops.batchMatmul(toPrompts(query, d), promptKeys, { transposeB: true }), context),
      ops.reshape(ops.batchMatmul(ops.reshape(query, [sequences, r, d]), ownKeys, { transposeB: true }), [
        product('tokens', h),
        own,
      ]),
    ],
    1,
    'seen',
  );
  const mask = ops.reshape(flight.maskOf(config.slidingWindows[layer]), ['tokens', 1, 'seen']);
  const masked = ops.add(ops.reshape(scores, ['tokens', h, 'seen']), mask);
  const weights = ops.softmax(ops.reshape(masked, [product('tokens', h), 'seen']));
  const [onPrompt, onOwn] = ops.split(weights, [context, own], 1) as readonly [Value, Value];
  const fromPrompt = ops.batchMatmul(toPrompts(onPrompt, context), read('values', flight.promptRows, prompts, context));
  const fromOwn = ops.batchMatmul(
    ops.reshape(onOwn, [sequences, r, own]),
    read('values', flight.ownRows, sequences, own),
  );
  return ops.add(toSequences(fromPrompt, d), ops.reshape(fromOwn, [product('tokens', h), d]));
}
