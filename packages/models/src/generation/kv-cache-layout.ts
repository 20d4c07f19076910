import { BATCH_PIECES, PAGE_TOKENS, pagesOf } from '../transformer/decode.js';
import { sizeClass } from '../transformer/size-class.js';
import type { TransformerConfig } from '../transformer/transformer-config.js';

/** What has a place in the cache: a sequence that continues a prompt. */
interface Continuation {
  readonly prompt: { readonly length: number };
}

/** Where prompts and the sequences that continue them lie in the cache, from its front. */
export interface KvCacheLayout<Sequence extends Continuation> {
  readonly pieces: readonly KvCachePiece<Sequence>[];
  /** The sequences piece by piece. */
  readonly sequences: readonly Sequence[];
  /** Pages that it takes. */
  readonly pages: number;
}

/** Some of the prompts, in places of one length, and behind them the sequences that continue them, in places of another. */
export interface KvCachePiece<Sequence extends Continuation> {
  readonly prompts: readonly Sequence['prompt'][];
  readonly members: readonly Sequence[];
  /** Pages of each prompt's place. */
  readonly contextPages: number;
  /** Pages of each member's place. */
  readonly pages: number;
}

/** A place of the cache: its first page, and how many there are. */
export interface Place {
  readonly start: number;
  readonly pages: number;
}

/** A layout for sequences that need so many pages each: prompts in the order of their first sequences. */
export function layOut<Sequence extends Continuation>(
  sequences: readonly Sequence[],
  needed: (sequence: Sequence) => number,
): KvCacheLayout<Sequence> {
  const groups = new Map<Sequence['prompt'], Sequence[]>();
  for (const sequence of sequences) {
    const group = groups.get(sequence.prompt);
    if (group === undefined) groups.set(sequence.prompt, [sequence]);
    else group.push(sequence);
  }
  const drafts = Array.from({ length: BATCH_PIECES }, () => ({
    prompts: [] as Sequence['prompt'][],
    members: [] as Sequence[],
  }));
  let end = 0;
  for (const [prompt, members] of groups) {
    // Pieces of about as many sequences each: a prompt's go where the middle of them falls.
    const draft = drafts[Math.floor(((end + members.length / 2) * BATCH_PIECES) / sequences.length)]!;
    draft.prompts.push(prompt);
    draft.members.push(...members);
    end += members.length;
  }
  const pieces = drafts.map(({ prompts, members }): KvCachePiece<Sequence> => {
    const contextPages = widest(prompts.map(({ length }) => pagesOf(length)));
    return { prompts, members, contextPages, pages: widest(members.map(needed)) };
  });
  const pages = pieces.reduce(
    (sum, piece) => sum + piece.prompts.length * piece.contextPages + piece.members.length * piece.pages,
    0,
  );
  return { pieces, sequences: pieces.flatMap(({ members }) => members), pages };
}

function widest(pages: readonly number[]): number {
  return sizeClass(Math.max(1, ...pages));
}

/** The places of the prompts and sequences of a layout. */
export function placesIn<Sequence extends Continuation>(
  layout: KvCacheLayout<Sequence>,
): ReadonlyMap<Sequence | Sequence['prompt'], Place> {
  const places = new Map<Sequence | Sequence['prompt'], Place>();
  let start = 0;
  const give = (owners: readonly (Sequence | Sequence['prompt'])[], pages: number): void => {
    for (const owner of owners) {
      places.set(owner, { start, pages });
      start += pages;
    }
  };
  for (const { prompts, members, contextPages, pages } of layout.pieces) {
    give(prompts, contextPages);
    give(members, pages);
  }
  return places;
}

/** A page of one group, as the cache counts them: a place is `[g, pages]`. */
function pageAt({ start, pages }: Place, group: number, page: number, groups: number): number {
  return start * groups + group * pages + page;
}

/** Rows of the cache `[tokens, g]` that tokens of places have. */
export function rowsOf(
  tokens: readonly { readonly place: Place; readonly token: number }[],
  { keyValueHeads }: TransformerConfig,
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
 * @param cached tokens that are in the place of a prompt or sequence
 */
export function movesBetween<Sequence extends Continuation>(
  before: KvCacheLayout<Sequence>,
  after: KvCacheLayout<Sequence>,
  cached: (owner: Sequence | Sequence['prompt']) => number,
  { keyValueHeads }: TransformerConfig,
): Moves {
  const [from, to]: [number[], number[]] = [[], []];
  const places = placesIn(before);
  for (const [owner, place] of placesIn(after)) {
    const old = places.get(owner);
    if (old === undefined) continue;
    const used = pagesOf(cached(owner));
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
