import * as tf from '@tensorflow/tfjs';

/** Queries, or keys, that a workgroup computes: one a thread. */
export const TILE = 64;

/** Which workgroup computes what of attention; int32, borrowed. */
export interface AttentionWork {
  /** `[T, 5]`: first row of a tile's queries, their count, place of the first in its sequence, where its context begins, its length. */
  readonly tiles: tf.Tensor2D;
  /** `[K, 5]`: first row of a tile's keys, their count, place of the first in its sequence, its first run of queries, its last plus one. */
  readonly keyTiles: tf.Tensor2D;
  /** `[R, 3]`: first row of a run of queries that see keys of a tile, their count, place of the first in its sequence. */
  readonly runs: tf.Tensor2D;
}

interface Segment {
  readonly start: number;
  readonly length: number;
  readonly contextStart: number;
  readonly context: number;
}

/**
 * Cuts segments into tiles.
 * @param data `[S, 4]`, see `AttentionInputs`
 * @param tokens those of no segment get tiles too, which see nothing and are seen by nothing
 * @param window keys that a query sees, its own included; 0: all
 */
export function attentionWork(data: Int32Array, tokens: number, window: number): AttentionWork {
  const segments = Array.from({ length: data.length / 4 }, (_, at) => ({
    start: data[4 * at]!,
    length: data[4 * at + 1]!,
    contextStart: data[4 * at + 2]!,
    context: data[4 * at + 3]!,
  }));
  const tiles: number[][] = [];
  const keyTiles: number[][] = [];
  const runs: number[][] = [];
  for (const segment of segments) {
    const { start, length, contextStart, context } = segment;
    const readers = context > 0 ? [] : segments.filter((other) => other.context > 0 && other.contextStart === start);
    for (const { from, count } of cut(length)) {
      const place = context + from;
      tiles.push([start + from, count, place, contextStart, context]);
      const first = runs.length;
      runs.push(
        ...runsOf(
          { place, count },
          [{ start: start + from, length: length - from, place }, ...readers.map(placed)],
          window,
        ),
      );
      keyTiles.push([start + from, count, place, first, runs.length]);
    }
  }
  for (const { start, length } of gaps(segments, tokens)) {
    for (const { from, count } of cut(length)) {
      tiles.push([start + from, count, -count, 0, 0]);
      keyTiles.push([start + from, count, 0, 0, 0]);
    }
  }
  return { tiles: matrix(tiles, 5), keyTiles: matrix(keyTiles, 5), runs: matrix(runs, 3) };
}

function* cut(length: number): Iterable<{ readonly from: number; readonly count: number }> {
  for (let from = 0; from < length; from += TILE) yield { from, count: Math.min(TILE, length - from) };
}

interface Queries {
  readonly start: number;
  readonly length: number;
  readonly place: number;
}

const placed = ({ start, length, context }: Segment): Queries => ({ start, length, place: context });

/** Runs of queries without those behind the window of the tile's last key. */
function runsOf(
  keys: { readonly place: number; readonly count: number },
  all: readonly Queries[],
  window: number,
): readonly number[][] {
  return all.flatMap(({ start, length, place }) => {
    const seen = window === 0 ? length : Math.min(length, keys.place + keys.count - 1 + window - place);
    return seen > 0 ? [[start, seen, place]] : [];
  });
}

/** Tokens that belong to no segment. */
function* gaps(
  segments: readonly Segment[],
  tokens: number,
): Iterable<{ readonly start: number; readonly length: number }> {
  let end = 0;
  for (const { start, length } of segments.toSorted((a, b) => a.start - b.start)) {
    if (start > end) yield { start: end, length: start - end };
    end = Math.max(end, start + length);
  }
  if (tokens > end) yield { start: end, length: tokens - end };
}

const matrix = (rows: readonly number[][], width: number): tf.Tensor2D =>
  tf.keep(tf.tensor2d(Int32Array.from(rows.flat()), [rows.length, width], 'int32'));
