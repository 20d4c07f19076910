import type { PassForm } from './pass-form.js';
import type { SizeClasses } from './size-class.js';

/** Queries that one tile holds at most. */
const TILE_QUERIES = 128;
/** Positions of padding slots: above every real one, keys above queries, so that a padding key is never seen. */
const PADDING_QUERY = 0x3fff_fffe;
const PADDING_KEY = 0x3fff_ffff;

/** What the layout of attention depends on. */
export interface AttentionForm extends Pick<PassForm, 'attentionPieces' | 'sizes' | 'kernels'> {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** An int32 array with its shape. */
export interface IndexArray {
  readonly data: Int32Array;
  readonly shape: readonly number[];
}

/** A run of consecutive rows that attend to a context before them and to themselves. */
export interface Segment {
  readonly start: number;
  readonly length: number;
  /** Rows of the prompt that the segment sees whole (empty for the prompt itself). */
  readonly contextStart: number;
  readonly contextLength: number;
}

/** The arrays of `TileRows`. */
export interface TileArrays {
  readonly queryRows: IndexArray;
  readonly slots: IndexArray;
  /** `attentionPieces` of them. */
  readonly pieces: readonly TilePieceArrays[];
}

/** The arrays of `TilePiece`. */
export interface TilePieceArrays {
  readonly queryPositions: IndexArray;
  readonly keyPositions: IndexArray;
  readonly keyRows: IndexArray;
}

interface Tile {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
  /** Keys that its last query sees. */
  readonly keys: number;
}

/** Tiles of one piece, and the sizes that its arrays have, see `SizeClasses`. */
interface Piece {
  readonly tiles: readonly Tile[];
  readonly count: number;
  readonly queries: number;
  readonly keys: number;
}

/**
 * Cuts segments into tiles of queries and lays them out in pieces; see `TileRows`.
 * @param positions `[N]` position of each row in its own sequence
 */
export function layoutTiles(
  segments: readonly Segment[],
  positions: Int32Array,
  { heads, keyValueHeads, attentionPieces, sizes: classes }: AttentionForm,
): TileArrays {
  const repeats = heads / keyValueHeads;
  const pieces = cutIntoPieces(tilesOf(segments), attentionPieces, classes);
  const sizes = pieces.map(({ count, queries }) => heads * count * queries);
  const queryRows = new Int32Array(sizes.reduce((sum, size) => sum + size, 0));
  const slots = new Int32Array(positions.length * heads);
  let start = 0;
  for (const [at, { tiles, count, queries }] of pieces.entries()) {
    for (const [index, { segment, from, to }] of tiles.entries()) {
      for (let slot = 0; slot < to - from; slot++) {
        const row = segment.start + from + slot;
        for (let head = 0; head < heads; head++) {
          const group = Math.floor(head / repeats);
          const tile = (group * count + index) * repeats + (head % repeats);
          const place = start + tile * queries + slot;
          queryRows[place] = row * heads + head;
          slots[row * heads + head] = place;
        }
      }
    }
    start += sizes[at]!;
  }
  return {
    queryRows: { data: queryRows, shape: [queryRows.length] },
    slots: { data: slots, shape: [positions.length, heads] },
    pieces: pieces.map((piece) => pieceArrays(piece, positions, keyValueHeads)),
  };
}

function tilesOf(segments: readonly Segment[]): readonly Tile[] {
  return segments.flatMap((segment) =>
    Array.from({ length: Math.ceil(segment.length / TILE_QUERIES) }, (_, index) => {
      const from = index * TILE_QUERIES;
      const to = Math.min(segment.length, from + TILE_QUERIES);
      return { segment, from, to, keys: segment.contextLength + to };
    }),
  );
}

/** Tiles with about as many keys side by side: the cuts that need the fewest scores, padding included. */
function cutIntoPieces(tiles: readonly Tile[], count: number, classes: SizeClasses): readonly Piece[] {
  const sorted = tiles.toSorted((a, b) => a.keys - b.keys);
  const starts = startsOfPieces(sorted, count);
  return starts.map((start, piece) => {
    const own = sorted.slice(start, starts[piece + 1] ?? sorted.length);
    return {
      tiles: own,
      count: classes.count(Math.max(1, own.length)),
      queries: classes.length(Math.max(1, ...own.map(({ from, to }) => to - from))),
      keys: classes.length(own.at(-1)?.keys ?? 1),
    };
  });
}

/** Where each piece starts, by dynamic programming; pieces may be empty. */
function startsOfPieces(sorted: readonly Tile[], pieces: number): readonly number[] {
  const count = sorted.length;
  // fewest[end]: scores of the first `end` tiles in the pieces so far; startOf[piece][end]: where the last of them starts.
  let fewest = Float64Array.from({ length: count + 1 }, (_, end) => (end === 0 ? 0 : Number.POSITIVE_INFINITY));
  const startOf: Int32Array[] = [];
  for (let piece = 0; piece < pieces; piece++) {
    const next = fewest.slice();
    const start = Int32Array.from({ length: count + 1 }, (_, end) => end);
    for (let end = 1; end <= count; end++) {
      const { keys } = sorted[end - 1]!;
      let queries = 0;
      for (let first = end - 1; first >= 0; first--) {
        queries = Math.max(queries, sorted[first]!.to - sorted[first]!.from);
        const scores = fewest[first]! + (end - first) * queries * keys;
        if (scores < next[end]!) {
          next[end] = scores;
          start[end] = first;
        }
      }
    }
    fewest = next;
    startOf.push(start);
  }
  const starts: number[] = [];
  for (let piece = pieces - 1, end = count; piece >= 0; piece--) {
    end = startOf[piece]![end]!;
    starts.unshift(end);
  }
  return starts;
}

/** An empty piece is one tile of padding. */
function pieceArrays({ tiles, count, queries, keys }: Piece, positions: Int32Array, groups: number): TilePieceArrays {
  const keyRows = new Int32Array(groups * count * keys);
  const queryPositions = new Int32Array(count * queries).fill(PADDING_QUERY);
  const keyPositions = new Int32Array(count * keys).fill(PADDING_KEY);
  for (const [index, { segment, from, to }] of tiles.entries()) {
    const { start, contextStart, contextLength } = segment;
    for (let slot = 0; slot < to - from; slot++) {
      queryPositions[index * queries + slot] = positions[start + from + slot]!;
    }
    for (let slot = 0; slot < contextLength + to; slot++) {
      const row = slot < contextLength ? contextStart + slot : start + slot - contextLength;
      keyPositions[index * keys + slot] = positions[row]!;
      for (let group = 0; group < groups; group++)
        keyRows[(group * count + index) * keys + slot] = row * groups + group;
    }
  }
  return {
    queryPositions: { data: queryPositions, shape: [count, queries] },
    keyPositions: { data: keyPositions, shape: [count, keys] },
    keyRows: { data: keyRows, shape: [groups, count, keys] },
  };
}
