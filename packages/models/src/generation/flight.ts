import type { FedTensor } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import { maskName, PAGE_TOKENS, pagesOf } from '../network/decode.js';
import type { NetworkConfig } from '../network/network-config.js';
import { inverseFrequencies, rotaryAngles } from '../network/rotary.js';
import { placesIn, rowsOf, type StoreLayout, type StorePart } from './store-layout.js';

const HIDDEN = -1e9;

/** A prompt whose keys are in the store, or will be once it is computed. */
export interface StoredPrompt {
  /** Its tokens. */
  readonly length: number;
  /** `[1, V]` float32 logits after it; owned. */
  logits?: tf.Tensor2D;
}

/** A sequence that is being written. */
export interface Sequence {
  readonly prompt: StoredPrompt;
  /** Number of the response within its request. */
  readonly sample: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  /** Tokens whose keys are in the store. */
  stored: number;
  /** Whether it has left the flight: its place may be kept and computed for a while, but nothing is appended. */
  hasLeft: boolean;
}

/** Pages that a sequence needs for one more token. */
export const pagesNeeded = ({ stored }: Sequence): number => pagesOf(stored + 1);

/** The inputs of one `decode` run: each sequence's last token, whose place in the store counts as `stored` already. */
export function flightFeeds(layout: StoreLayout<Sequence>, config: NetworkConfig): Readonly<Record<string, FedTensor>> {
  const { keyValueHeads: groups, headDim } = config;
  const { sequences, parts } = layout;
  const count = sequences.length;
  const positions = Int32Array.from(sequences, ({ prompt, stored }) => prompt.length + stored - 1);
  const { cosines, sines } = rotaryAngles(positions, inverseFrequencies(config.rope, headDim));
  const inStore = placesIn(layout);
  const newest = sequences.map((sequence) => ({
    place: inStore.get(sequence)!,
    token: Math.max(0, sequence.stored - 1),
  }));
  const sizes = parts.flatMap(({ contextPages, pages }) => [PAGE_TOKENS * contextPages, PAGE_TOKENS * pages]);
  const int = (data: Int32Array, shape: readonly number[]): FedTensor => ({ data, shape });
  return {
    tokens: int(
      Int32Array.from(sequences, ({ tokens }) => tokens.at(-1)!),
      [count],
    ),
    cosines: { data: cosines, shape: [count, headDim / 2] },
    sines: { data: sines, shape: [count, headDim / 2] },
    storeRows: int(rowsOf(newest, config), [count, groups]),
    sizes: int(new Int32Array(0), [0, ...sizes]),
    ...Object.assign({}, ...parts.map((part, at) => partFeeds(part, at, config))),
  };
}

/** The inputs of one part. */
function partFeeds(part: StorePart<Sequence>, at: number, config: NetworkConfig): Readonly<Record<string, FedTensor>> {
  const { prompts, members } = part;
  const { keyValueHeads: groups } = config;
  const continuing = prompts.map((prompt) =>
    members.flatMap((member, index) => (member.prompt === prompt ? [index] : [])),
  );
  const places = Math.max(1, ...continuing.map(({ length }) => length));
  const inPrompts = new Int32Array(prompts.length * groups * places);
  const inSequences = new Int32Array(members.length * groups);
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
    [`inPrompts${at}`]: { data: inPrompts, shape: [prompts.length, groups, places] },
    [`inSequences${at}`]: { data: inSequences, shape: [members.length, groups] },
    ...masksOf(part, at, config),
  };
}

/** One mask `[M, context + own]` of a part for each window. */
function masksOf(
  { members, contextPages, pages }: StorePart<Sequence>,
  at: number,
  { slidingWindows }: NetworkConfig,
): Record<string, FedTensor> {
  const [context, own] = [PAGE_TOKENS * contextPages, PAGE_TOKENS * pages];
  const width = context + own;
  const masks: Record<string, FedTensor> = {};
  for (const window of new Set(slidingWindows)) {
    const mask = new Float32Array(members.length * width).fill(HIDDEN);
    for (const [index, { prompt, stored }] of members.entries()) {
      const { length } = prompt;
      const start = index * width;
      const oldest = window === undefined ? 0 : Math.max(0, length + stored - window);
      mask.fill(0, start + Math.min(oldest, length), start + length);
      const ownStart = start + context;
      mask.fill(0, ownStart + Math.max(0, oldest - length), ownStart + stored);
    }
    masks[maskName(window, at)] = { data: mask, shape: [members.length, width] };
  }
  return masks;
}
