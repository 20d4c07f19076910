import type { PromptGroup } from '@metaapo/core/contracts';

/** Queries that one tile holds at most. */
const TILE_QUERIES = 128;
/** Positions of padding slots: above every real one, keys above queries, so that a padding key is never seen. */
const PADDING_QUERY = 0x3fff_fffe;
const PADDING_KEY = 0x3fff_ffff;

/** Head numbers that the layout's row numbers depend on. */
export interface LayoutHeads {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** An int32 array with its shape. */
export interface IndexArray {
  readonly data: Int32Array;
  readonly shape: readonly number[];
}

/**
 * Groups of one prompt with its responses, packed without padding: N tokens, each group's prompt first, then its
 * responses, whose positions continue the prompt's. The last token of a response is only predicted, so it takes no
 * place. See `TileRows` for the attention part.
 */
export interface PackedLayout {
  /** `[N]` token ids. */
  readonly tokens: IndexArray;
  /** `[N]` position of each token in its own sequence. */
  readonly positions: Int32Array;
  readonly queryRows: IndexArray;
  readonly keyRows: IndexArray;
  readonly slots: IndexArray;
  /** `[T, Q]` and `[T, K]` */
  readonly queryPositions: IndexArray;
  readonly keyPositions: IndexArray;
  /** `[M]` row of the token after which each response token is predicted. */
  readonly predictingRows: IndexArray;
  /** `[M]` the predicted token ids, response after response. */
  readonly targets: Int32Array;
  /** `[R]` number of tokens of each response. */
  readonly tokenCounts: Int32Array;
}

/** A run of consecutive rows that attend to a context before them and to themselves. */
interface Segment {
  readonly start: number;
  readonly length: number;
  /** Rows of the prompt that the segment sees whole (empty for the prompt itself). */
  readonly contextStart: number;
  readonly contextLength: number;
}

interface Tile {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

/** Packs groups for one pass; see {@link PackedLayout}. */
export function layoutGroups(groups: readonly PromptGroup[], heads: LayoutHeads): PackedLayout {
  const tokens: number[] = [];
  const positions: number[] = [];
  const predicting: number[] = [];
  const targets: number[] = [];
  const counts: number[] = [];
  const segments: Segment[] = [];
  for (const { prompt, responses } of groups) {
    const start = tokens.length;
    prompt.forEach((token, position) => {
      tokens.push(token);
      positions.push(position);
    });
    segments.push({ start, length: prompt.length, contextStart: start, contextLength: 0 });
    for (const response of responses) {
      const own = tokens.length;
      response.forEach((token, index) => {
        predicting.push(index === 0 ? start + prompt.length - 1 : own + index - 1);
        targets.push(token);
        if (index === response.length - 1) return;
        tokens.push(token);
        positions.push(prompt.length + index);
      });
      counts.push(response.length);
      if (response.length > 1) {
        segments.push({
          start: own,
          length: response.length - 1,
          contextStart: start,
          contextLength: prompt.length,
        });
      }
    }
  }
  return {
    tokens: { data: Int32Array.from(tokens), shape: [tokens.length] },
    positions: Int32Array.from(positions),
    ...tile(segments, positions, heads),
    predictingRows: { data: Int32Array.from(predicting), shape: [predicting.length] },
    targets: Int32Array.from(targets),
    tokenCounts: Int32Array.from(counts),
  };
}

function tile(
  segments: readonly Segment[],
  positions: readonly number[],
  { heads, keyValueHeads }: LayoutHeads,
): Pick<PackedLayout, 'queryRows' | 'keyRows' | 'slots' | 'queryPositions' | 'keyPositions'> {
  const tiles: Tile[] = segments.flatMap((segment) =>
    Array.from({ length: Math.ceil(segment.length / TILE_QUERIES) }, (_, index) => ({
      segment,
      from: index * TILE_QUERIES,
      to: Math.min(segment.length, (index + 1) * TILE_QUERIES),
    })),
  );
  const queries = Math.max(...tiles.map(({ from, to }) => to - from));
  const keys = Math.max(...tiles.map(({ segment, to }) => segment.contextLength + to));
  const repeats = heads / keyValueHeads;
  const queryRows = new Int32Array(heads * tiles.length * queries);
  const keyRows = new Int32Array(keyValueHeads * tiles.length * keys);
  const slots = new Int32Array(positions.length * heads);
  const queryPositions = new Int32Array(tiles.length * queries).fill(PADDING_QUERY);
  const keyPositions = new Int32Array(tiles.length * keys).fill(PADDING_KEY);
  for (const [index, { segment, from, to }] of tiles.entries()) {
    for (let slot = 0; slot < to - from; slot++) {
      const row = segment.start + from + slot;
      queryPositions[index * queries + slot] = positions[row]!;
      for (let head = 0; head < heads; head++) {
        const group = Math.floor(head / repeats);
        const place = ((group * tiles.length + index) * repeats + (head % repeats)) * queries + slot;
        queryRows[place] = row * heads + head;
        slots[row * heads + head] = place;
      }
    }
    for (let slot = 0; slot < segment.contextLength + to; slot++) {
      const isContext = slot < segment.contextLength;
      const row = isContext ? segment.contextStart + slot : segment.start + slot - segment.contextLength;
      keyPositions[index * keys + slot] = positions[row]!;
      for (let group = 0; group < keyValueHeads; group++) {
        keyRows[(group * tiles.length + index) * keys + slot] = row * keyValueHeads + group;
      }
    }
  }
  return {
    queryRows: { data: queryRows, shape: [keyValueHeads, tiles.length, repeats, queries] },
    keyRows: { data: keyRows, shape: [keyValueHeads, tiles.length, keys] },
    slots: { data: slots, shape: [slots.length] },
    queryPositions: { data: queryPositions, shape: [tiles.length, queries] },
    keyPositions: { data: keyPositions, shape: [tiles.length, keys] },
  };
}
