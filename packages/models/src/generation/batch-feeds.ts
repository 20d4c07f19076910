import type { FedTensor } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import { maskName } from '../transformer/cached-attention.js';
import { PAGE_TOKENS, pagesOf } from '../transformer/decode.js';
import { angleFeeds } from '../transformer/rotary.js';
import type { PassConfig, TransformerConfig } from '../transformer/transformer-config.js';
import { type KvCacheLayout, type KvCachePiece, type Place, placesIn, rowsOf } from './kv-cache-layout.js';

const HIDDEN = -1e9;

/** A prompt whose keys are in the cache, or will be once it is computed. */
export interface CachedPrompt {
  /** Its tokens. */
  readonly length: number;
  /** `[1, V]` float32 logits after it; owned. */
  logits?: tf.Tensor2D;
}

/** A sequence that is being written. */
export interface Sequence {
  readonly prompt: CachedPrompt;
  /** Number of the response within its request. */
  readonly sample: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  /** Tokens whose keys are in the cache. */
  cached: number;
  /** Whether it has left the batch: its place may be kept and computed for a while, but nothing is appended. */
  hasLeft: boolean;
}

/** Pages that a sequence needs for one more token. */
export const pagesNeeded = ({ cached }: Sequence): number => pagesOf(cached + 1);

/**
 * The inputs of one `decode` run: each sequence's last token, whose place in the cache counts as `cached` already. Places of
 * the last piece may be empty: their rows come last and are to be left out.
 */
export function batchFeeds(layout: KvCacheLayout<Sequence>, config: PassConfig): Readonly<Record<string, FedTensor>> {
  const { keyValueHeads: groups } = config;
  const { sequences, pieces } = layout;
  const count = pieces.reduce((sum, { memberPlaces }) => sum + memberPlaces, 0);
  const positions = Int32Array.from({ length: count }, (_, at) => positionOf(sequences[at]));
  const inCache = placesIn(layout);
  const newest = sequences.map((sequence) => ({
    place: inCache.get(sequence)!,
    token: Math.max(0, sequence.cached - 1),
  }));
  return {
    tokens: int(
      Int32Array.from({ length: count }, (_, at) => sequences[at]?.tokens.at(-1) ?? 0),
      [count],
    ),
    ...angleFeeds(positions, config),
    cacheRows: int(rowsOf(newest, config, count), [count, groups]),
    ...(config.kernels.has('CachedAttention') ? sequenceFeeds(layout, inCache, config) : piecesFeeds(layout, config)),
  };
}

const int = (data: Int32Array, shape: readonly number[]): FedTensor => ({ data, shape });

/** Where the keys of each sequence lie; none that it sees where it has left the batch. */
function sequenceFeeds(
  { sequences }: KvCacheLayout<Sequence>,
  inCache: ReadonlyMap<Sequence | CachedPrompt, Place>,
  { keyValueHeads: groups }: TransformerConfig,
): Record<string, FedTensor> {
  const spanOf = (owner: Sequence | CachedPrompt, tokens: number): readonly number[] => {
    const { start, pages } = inCache.get(owner)!;
    return [start * groups * PAGE_TOKENS, pages * PAGE_TOKENS, tokens];
  };
  const rows = sequences.flatMap((sequence) => {
    const { prompt, cached, hasLeft } = sequence;
    return [...spanOf(prompt, hasLeft ? 0 : prompt.length), ...spanOf(sequence, hasLeft ? 0 : cached)];
  });
  return { sequences: int(Int32Array.from(rows), [sequences.length, 6]) };
}

function piecesFeeds({ pieces }: KvCacheLayout<Sequence>, config: PassConfig): Record<string, FedTensor> {
  const sizes = pieces.flatMap(({ contextPages, pages }) => [PAGE_TOKENS * contextPages, PAGE_TOKENS * pages]);
  return {
    sizes: int(new Int32Array(0), [0, ...sizes]),
    ...Object.assign({}, ...pieces.map((piece, at) => pieceFeeds(piece, at, config))),
  };
}

const positionOf = (sequence: Sequence | undefined): number =>
  sequence === undefined ? 0 : sequence.prompt.length + sequence.cached - 1;

/** The inputs of one piece. An empty place repeats the first sequence. */
function pieceFeeds(
  piece: KvCachePiece<Sequence>,
  at: number,
  config: PassConfig,
): Readonly<Record<string, FedTensor>> {
  const { prompts, members, promptPlaces, memberPlaces } = piece;
  const { keyValueHeads: groups } = config;
  const continuing = prompts.map((prompt) =>
    members.flatMap((member, index) => (member.prompt === prompt ? [index] : [])),
  );
  const places = config.sizes.places(Math.max(1, ...continuing.map(({ length }) => length)));
  const inPrompts = new Int32Array(promptPlaces * groups * places);
  const inSequences = new Int32Array(memberPlaces * groups);
  for (const [prompt, indices] of continuing.entries()) {
    for (let group = 0; group < groups; group++) {
      const start = (prompt * groups + group) * places;
      for (let place = 0; place < places; place++) {
        inPrompts[start + place] = (indices[place] ?? indices[0]!) * groups + group;
      }
      for (const [place, index] of indices.entries()) inSequences[index * groups + group] = start + place;
    }
  }
  return {
    [`inPrompts${at}`]: { data: inPrompts, shape: [promptPlaces, groups, places] },
    [`inSequences${at}`]: { data: inSequences, shape: [memberPlaces, groups] },
    ...masksOf(piece, at, config),
  };
}

/** One mask `[M, context + own]` of a piece for each window. */
function masksOf(
  { members, memberPlaces, contextPages, pages }: KvCachePiece<Sequence>,
  at: number,
  { slidingWindows }: TransformerConfig,
): Record<string, FedTensor> {
  const [context, own] = [PAGE_TOKENS * contextPages, PAGE_TOKENS * pages];
  const width = context + own;
  const masks: Record<string, FedTensor> = {};
  for (const window of new Set(slidingWindows)) {
    const mask = new Float32Array(memberPlaces * width).fill(HIDDEN);
    for (const [index, { prompt, cached }] of members.entries()) {
      const { length } = prompt;
      const start = index * width;
      const oldest = window === undefined ? 0 : Math.max(0, length + cached - window);
      mask.fill(0, start + Math.min(oldest, length), start + length);
      const ownStart = start + context;
      mask.fill(0, ownStart + Math.max(0, oldest - length), ownStart + cached);
    }
    masks[maskName(window, at)] = { data: mask, shape: [memberPlaces, width] };
  }
  return masks;
}
