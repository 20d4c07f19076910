import { FLIGHT_PARTS, PAGE_TOKENS, pagesOf } from '../network/decode.js';
import type { NetworkConfig } from '../network/network-config.js';
import { sizeClass } from '../network/size-class.js';

/** What has a place in the store: a sequence that continues a prompt. */
interface Continuation {
  readonly prompt: { readonly length: number };
}

/** Where prompts and the sequences that continue them lie in the store, from its front. */
export interface StoreLayout<Sequence extends Continuation> {
  readonly parts: readonly StorePart<Sequence>[];
  /** The sequences part by part. */
  readonly sequences: readonly Sequence[];
  /** Pages that it takes. */
  readonly pages: number;
}

/** Some of the prompts, in places of one length, and behind them the sequences that continue them, in places of another. */
export interface StorePart<Sequence extends Continuation> {
  readonly prompts: readonly Sequence['prompt'][];
  readonly members: readonly Sequence[];
  /** Pages of each prompt's place. */
  readonly contextPages: number;
  /** Pages of each member's place. */
  readonly pages: number;
}

/** A place of the store: its first page, and how many there are. */
export interface Place {
  readonly start: number;
  readonly pages: number;
}

/** A layout for sequences that need so many pages each: prompts in the order of their first sequences. */
export function layOut<Sequence extends Continuation>(
  sequences: readonly Sequence[],
  needed: (sequence: Sequence) => number,
): StoreLayout<Sequence> {
  const groups = new Map<Sequence['prompt'], Sequence[]>();
  for (const sequence of sequences) {
    const group = groups.get(sequence.prompt);
    if (group === undefined) groups.set(sequence.prompt, [sequence]);
    else group.push(sequence);
  }
  const drafts = Array.from({ length: FLIGHT_PARTS }, () => ({
    prompts: [] as Sequence['prompt'][],
    members: [] as Sequence[],
  }));
  let end = 0;
  for (const [prompt, members] of groups) {
    // Parts of about as many sequences each: a prompt's go where the middle of them falls.
    const draft = drafts[Math.floor(((end + members.length / 2) * FLIGHT_PARTS) / sequences.length)]!;
    draft.prompts.push(prompt);
    draft.members.push(...members);
    end += members.length;
  }
  const parts = drafts.map(({ prompts, members }): StorePart<Sequence> => {
    const contextPages = widest(prompts.map(({ length }) => pagesOf(length)));
    return { prompts, members, contextPages, pages: widest(members.map(needed)) };
  });
  const pages = parts.reduce(
    (sum, part) => sum + part.prompts.length * part.contextPages + part.members.length * part.pages,
    0,
  );
  return { parts, sequences: parts.flatMap(({ members }) => members), pages };
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
  for (const { prompts, members, contextPages, pages } of layout.parts) {
    give(prompts, contextPages);
    give(members, pages);
  }
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
