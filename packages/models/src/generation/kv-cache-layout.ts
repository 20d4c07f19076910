import { PAGE_TOKENS, pagesOf } from '../transformer/decode.js';
import type { PassForm } from '../transformer/pass-form.js';
import type { PassConfig, TransformerConfig } from '../transformer/transformer-config.js';

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
  /** Places for prompts: as many as there are, or a few more, which stay empty. */
  readonly promptPlaces: number;
  /** Places for members, likewise. */
  readonly memberPlaces: number;
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

/** How the cache is laid out. */
export type KvCacheLayoutForm = Pick<PassForm, 'batchPieces' | 'sizes'>;

/** A layout for sequences that need so many pages each: prompts in the order of their first sequences. */
export function layOut<Sequence extends Continuation>(
  sequences: readonly Sequence[],
  needed: (sequence: Sequence) => number,
  { batchPieces, sizes }: KvCacheLayoutForm,
): KvCacheLayout<Sequence> {
  const groups = new Map<Sequence['prompt'], Sequence[]>();
  for (const sequence of sequences) {
    const group = groups.get(sequence.prompt);
    if (group === undefined) groups.set(sequence.prompt, [sequence]);
    else group.push(sequence);
  }
  const drafts = Array.from({ length: batchPieces }, () => ({
    prompts: [] as Sequence['prompt'][],
    members: [] as Sequence[],
  }));
  let end = 0;
  for (const [prompt, members] of groups) {
    // Pieces of about as many sequences each: a prompt's go where the middle of them falls.
    const draft = drafts[Math.floor(((end + members.length / 2) * batchPieces) / sequences.length)]!;
    draft.prompts.push(prompt);
    draft.members.push(...members);
    end += members.length;
  }
  const widest = (pages: readonly number[]): number => sizes.pages(Math.max(1, ...pages));
  const pieces = drafts.map(({ prompts, members }): KvCachePiece<Sequence> => {
    const places = { promptPlaces: sizes.places(prompts.length), memberPlaces: sizes.places(members.length) };
    const contextPages = widest(prompts.map(({ length }) => pagesOf(length)));
    return { prompts, members, ...places, contextPages, pages: widest(members.map(needed)) };
  });
  const pages = pieces.reduce(
    (sum, piece) => sum + piece.promptPlaces * piece.contextPages + piece.memberPlaces * piece.pages,
    0,
  );
  return { pieces, sequences: pieces.flatMap(({ members }) => members), pages };
}

/** The places of the prompts and sequences of a layout. */
export function placesIn<Sequence extends Continuation>(
  layout: KvCacheLayout<Sequence>,
): ReadonlyMap<Sequence | Sequence['prompt'], Place> {
  const places = new Map<Sequence | Sequence['prompt'], Place>();
  let start = 0;
  const give = (owners: readonly (Sequence | Sequence['prompt'])[], count: number, pages: number): void => {
    for (const [index, owner] of owners.entries()) places.set(owner, { start: start + index * pages, pages });
    start += count * pages;
  };
  for (const { prompts, members, promptPlaces, memberPlaces, contextPages, pages } of layout.pieces) {
    give(prompts, promptPlaces, contextPages);
    give(members, memberPlaces, pages);
  }
  return places;
}

/** A page of one group, as the cache counts them: a place is `[g, pages]`. */
function pageAt({ start, pages }: Place, group: number, page: number, groups: number): number {
  return start * groups + group * pages + page;
}

/** A row or a page that no cache has: XLA leaves out what is written there. */
const NOWHERE = 2 ** 30;

/**
 * Rows of the cache `[tokens, g]` that tokens of places have.
 * @param count tokens to fill up to, which have no row
 */
export function rowsOf(
  tokens: readonly { readonly place: Place; readonly token: number }[],
  { keyValueHeads }: TransformerConfig,
  count = tokens.length,
): Int32Array {
  const rows = new Int32Array(count * keyValueHeads).fill(NOWHERE);
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
 * What has to be moved from one layout to another, filled up to a count of the form.
 * @param cached tokens that are in the place of a prompt or sequence
 */
export function movesBetween<Sequence extends Continuation>(
  before: KvCacheLayout<Sequence>,
  after: KvCacheLayout<Sequence>,
  cached: (owner: Sequence | Sequence['prompt']) => number,
  { keyValueHeads, sizes }: Pick<PassConfig, 'keyValueHeads' | 'sizes'>,
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
  const filled = (pages: readonly number[], filling: number): Int32Array =>
    Int32Array.from({ length: sizes.places(pages.length) }, (_, at) => pages[at] ?? filling);
  return { from: filled(from, 0), to: filled(to, NOWHERE) };
}
