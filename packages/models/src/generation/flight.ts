import type { FedTensor } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import { maskName, PAGE_TOKENS } from '../network/decode.js';
import type { NetworkConfig } from '../network/network-config.js';
import { inverseFrequencies, rotaryAngles } from '../network/rotary.js';
import { sizeClass } from '../network/size-class.js';

const HIDDEN = -1e9;

/** A prompt whose keys are in the store. */
export interface StoredPrompt {
  /** Pages of the store that hold its tokens. */
  readonly pages: Int32Array;
  /** Its tokens. */
  readonly length: number;
  /** `[1, V]` float32 logits after it; owned. */
  readonly logits: tf.Tensor2D;
}

/** A sequence that is being written. */
export interface Sequence {
  readonly prompt: StoredPrompt;
  /** Number of the response within its request. */
  readonly sample: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  /** Pages of the store that hold the keys of its tokens. */
  readonly pages: number[];
  /** Tokens whose keys are there. */
  stored: number;
}

/** The inputs of one `decode` run: each sequence's last token, whose place in the store counts as `stored` already. */
export function flightFeeds(
  sequences: readonly Sequence[],
  config: NetworkConfig,
): Readonly<Record<string, FedTensor>> {
  const { keyValueHeads: groups, headDim } = config;
  const count = sequences.length;
  const prompts = [...new Set(sequences.map(({ prompt }) => prompt))];
  const members = prompts.map((prompt) => indicesWhere(sequences, (sequence) => sequence.prompt === prompt));
  const context = sizeClass(Math.max(...prompts.map(({ pages }) => pages.length)));
  const own = sizeClass(Math.max(...sequences.map(({ pages }) => pages.length)));
  const places = Math.max(...members.map(({ length }) => length));
  const positions = Int32Array.from(sequences, ({ prompt, stored }) => prompt.length + stored - 1);
  const { cosines, sines } = rotaryAngles(positions, inverseFrequencies(config.rope, headDim));
  const placeOf = new Int32Array(count);
  for (const [prompt, indices] of members.entries()) {
    for (const [place, index] of indices.entries()) placeOf[index] = prompt * places + place;
  }
  const int = (data: Int32Array, shape: readonly number[]): FedTensor => ({ data, shape });
  return {
    tokens: int(
      Int32Array.from(sequences, ({ tokens }) => tokens.at(-1)!),
      [count],
    ),
    cosines: { data: cosines, shape: [count, headDim / 2] },
    sines: { data: sines, shape: [count, headDim / 2] },
    storePlaces: storePlaces(
      sequences.map(({ pages, stored }) => ({ pages, token: stored - 1 })),
      groups,
    ),
    promptRows: int(
      spreadRows(
        prompts.map(({ pages }) => pages),
        groups,
        context,
      ),
      [prompts.length, groups, context],
    ),
    ownRows: int(
      spreadRows(
        sequences.map(({ pages }) => pages),
        groups,
        own,
      ),
      [count, groups, own],
    ),
    places: int(placesOf(members, places), [prompts.length, places]),
    placeOf: int(placeOf, [count]),
    ...masksOf(sequences, config, PAGE_TOKENS * context, PAGE_TOKENS * own),
  };
}

function indicesWhere<Item>(items: readonly Item[], accept: (item: Item) => boolean): readonly number[] {
  return items.flatMap((item, index) => (accept(item) ? [index] : []));
}

function placesOf(members: readonly (readonly number[])[], places: number): Int32Array {
  return Int32Array.from(
    members.flatMap((indices) => Array.from({ length: places }, (_, at) => indices[at] ?? indices[0]!)),
  );
}

/** Pages as rows of the store `[lists, groups, width]`: page * groups + group; padding repeats the first. */
export function spreadRows(lists: readonly ArrayLike<number>[], groups: number, width: number): Int32Array {
  const spread = new Int32Array(lists.length * groups * width);
  for (const [index, pages] of lists.entries()) {
    for (let group = 0; group < groups; group++) {
      const start = (index * groups + group) * width;
      for (let at = 0; at < width; at++) spread[start + at] = (pages[at] ?? pages[0]!) * groups + group;
    }
  }
  return spread;
}

/** Where the keys of tokens go, `[tokens, groups, 2]`: row of the store, and token in the page. */
export function storePlaces(
  tokens: readonly { readonly pages: ArrayLike<number>; readonly token: number }[],
  groups: number,
): FedTensor {
  const data = new Int32Array(2 * tokens.length * groups);
  for (const [index, { pages, token }] of tokens.entries()) {
    const page = pages[Math.floor(token / PAGE_TOKENS)]!;
    for (let group = 0; group < groups; group++) {
      data.set([page * groups + group, token % PAGE_TOKENS], 2 * (index * groups + group));
    }
  }
  return { data, shape: [tokens.length, groups, 2] };
}

/** One mask `[N, context + own]` for each window. */
function masksOf(
  sequences: readonly Sequence[],
  { slidingWindows }: NetworkConfig,
  context: number,
  own: number,
): Record<string, FedTensor> {
  const width = context + own;
  const masks: Record<string, FedTensor> = {};
  for (const window of new Set(slidingWindows)) {
    const mask = new Float32Array(sequences.length * width).fill(HIDDEN);
    for (const [index, { prompt, stored }] of sequences.entries()) {
      const { length } = prompt;
      const start = index * width;
      const oldest = window === undefined ? 0 : Math.max(0, length + stored - window);
      mask.fill(0, start + Math.min(oldest, length), start + length);
      const ownStart = start + context;
      mask.fill(0, ownStart + Math.max(0, oldest - length), ownStart + stored);
    }
    masks[maskName(window)] = { data: mask, shape: [sequences.length, width] };
  }
  return masks;
}
