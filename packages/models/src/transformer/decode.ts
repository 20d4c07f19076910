import {
  createGraph,
  finishProgram,
  type Graph,
  inBlock,
  kernels,
  operations as ops,
  type Program,
  type ProgramSet,
  product,
  type StateDeclaration,
  type Value,
} from '@metaapo/engine';
import { attendByKernel, attendInPieces } from './cached-attention.js';
import type { Attend, ProjectedHeads } from './decoder-block.js';
import { logitsOf } from './head.js';
import type { Precision } from './layers.js';
import { parametersIn } from './parameters.js';
import type { ProgramOptions } from './programs.js';
import { decoderBlocks, finalNorm, hiddenStates, tokenInputs } from './transformer.js';
import type { TransformerConfig } from './transformer-config.js';

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
 * - `decode` computes one token for each of N sequences of the batch and gives the logits after it;
 * - `move` copies pages `from` `[n]` to the places `to` `[n]`, counted in 16 rows: one page and group each;
 * - `clear` frees the cache;
 * - `draw`, where a kernel does it, draws a token for each row of `logits` `[rows, V]` at its share of the probabilities.
 */
export function generationPrograms(options: ProgramOptions, form: KvCacheForm): ProgramSet {
  const { config } = options;
  return {
    prefill: prefillProgram(options, form),
    decode: decodeProgram(options, form),
    move: kvCacheProgram('move', config, form, (graph, state) => {
      const [from, to] = [ops.input(graph, 'from', ['moved'], 'int32'), ops.input(graph, 'to', ['moved'], 'int32')];
      ops.moveRowsOfState(graph, state, PAGE_TOKENS * config.headDim, from, to);
    }),
    clear: kvCacheProgram('clear', config, form, ops.clearState),
    ...(config.kernels.has('Draw') && { draw: drawProgram(config) }),
  };
}

function drawProgram({ vocabularySize, kernels: called }: ProgramOptions['config']): Program {
  const graph = createGraph('draw', called);
  const logits = ops.input(graph, 'logits', ['rows', vocabularySize]);
  const [tokens, logprobs] = kernels.draw(logits, ops.input(graph, 'shares', ['rows']));
  return finishProgram(graph, { tokens, logprobs });
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
  const { config, parameters, adapters, precision } = options;
  const graph = createGraph('prefill', config.kernels);
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
  const { config, parameters, adapters, precision } = options;
  const graph = createGraph('decode', config.kernels);
  const read = parametersIn(graph, parameters, adapters);
  const rows = cacheRows(graph, config);
  const hasKernel = config.kernels.has('CachedAttention');
  const attendToCache = hasKernel ? attendByKernel(graph, config) : attendInPieces(graph, config);
  const attend: Attend = (heads, layer) => {
    writeToCache(heads, layer, rows, form, config);
    const cached = (kind: 'keys' | 'values'): Value => ops.readState(graph, kvCacheState(kind, layer, form, config));
    return attendToCache(heads.query, { keys: cached('keys'), values: cached('values') }, layer);
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
