import { FLIGHT_PARTS, PAGE_TOKENS, pagesOf } from '../network/decode.js';
import type { NetworkConfig } from '../network/network-config.js';
import { sizeClass } from '../network/size-class.js';

/** What has a place in the store: a sequence that continues a prompt. */
interface Continuation {
  readonly prompt: { readonly length: number };
}

/** Where prompts and the sequences that continue them lie in the store, from its front. */
export interface StoreLayout<Sequence extends Continuation> {
  readonly sequences: readonly Sequence[];
  /** The prompts in the order of their places. */
  readonly prompts: readonly Sequence['prompt'][];
  /** Pages of each prompt's place. */
  readonly contextPages: number;
  readonly parts: readonly StorePart<Sequence>[];
  /** Pages that it takes. */
  readonly pages: number;
}

/** Sequences with places of one length. */
export interface StorePart<Sequence> {
  readonly members: readonly Sequence[];
  /** Pages of each member's place. */
  readonly pages: number;
}

/** A place of the store: its first page, and how many there are. */
export interface Place {
  readonly start: number;
  readonly pages: number;
}

/** A layout for sequences, in their order, that need so many pages each. */
export function layOut<Sequence extends Continuation>(
  sequences: readonly Sequence[],
  needed: (sequence: Sequence) => number,
): StoreLayout<Sequence> {
  const prompts = [...new Set(sequences.map(({ prompt }) => prompt))];
  const contextPages = widest(prompts.map(({ length }) => pagesOf(length)));
  const boundary = (part: number): number => Math.round((part * sequences.length) / FLIGHT_PARTS);
  const parts = Array.from({ length: FLIGHT_PARTS }, (_, part): StorePart<Sequence> => {
    const members = sequences.slice(boundary(part), boundary(part + 1));
    return { members, pages: widest(members.map(needed)) };
  });
  const own = parts.reduce((sum, part) => sum + part.members.length * part.pages, 0);
  return { sequences, prompts, contextPages, parts, pages: prompts.length * contextPages + own };
}

function widest(pages: readonly number[]): number {
  return sizeClass(Math.max(1, ...pages));
}

/** The places of the prompts and sequences of a layout. */
export function placesIn<Sequence extends Continuation>(
  layout: StoreLayout<Sequence>,
): ReadonlyMap<Sequence | Sequence['prompt'], Place> {
  const places = new Map<Sequence | Sequence['prompt'], Place>();
  let start = 0;
  const give = (owners: readonly (Sequence | Sequence['prompt'])[], pages: number): void => {
    for (const owner of owners) {
      places.set(owner, { start, pages });
      start += pages;
    }
  };
  give(layout.prompts, layout.contextPages);
  for (const { members, pages } of layout.parts) give(members, pages);
  return places;
}

/** A page of one group, as the store counts them: a place is `[g, pages]`. */
function pageAt({ start, pages }: Place, group: number, page: number, groups: number): number {
  return start * groups + group * pages + page;
}

/** Rows of the store `[tokens, g]` that tokens of places have. */
export function rowsOf(
  tokens: readonly { readonly place: Place; readonly token: number }[],
  { keyValueHeads }: NetworkConfig,
): Int32Array {
  const rows = new Int32Array(tokens.length * keyValueHeads);
  for (const [index, { place, token }] of tokens.entries()) {
    for (let group = 0; group < keyValueHeads; group++) {
      rows[index * keyValueHeads + group] = pageAt(place, group, 0, keyValueHeads) * PAGE_TOKENS + token;
    }
  }
  return rows;
}

/** Pages to be moved, each of one group. */
export interface Moves {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/**
 * What has to be moved from one layout to another.
 * @param stored tokens that are in the place of a prompt or sequence
 */
export function movesBetween<Sequence extends Continuation>(
  before: StoreLayout<Sequence>,
  after: StoreLayout<Sequence>,
  stored: (owner: Sequence | Sequence['prompt']) => number,
  { keyValueHeads }: NetworkConfig,
): Moves {
  const [from, to]: [number[], number[]] = [[], []];
  const places = placesIn(before);
  for (const [owner, place] of placesIn(after)) {
    const old = places.get(owner);
    if (old === undefined) continue;
    const used = pagesOf(stored(owner));
    for (let group = 0; group < keyValueHeads; group++) {
      for (let page = 0; page < used; page++) {
        const [source, target] = [pageAt(old, group, page, keyValueHeads), pageAt(place, group, page, keyValueHeads)];
        if (source === target) continue;
        from.push(source);
        to.push(target);
      }
    }
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to) };
}
