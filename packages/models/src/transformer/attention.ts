import { inOrder, keep, kernels, operations as ops, product, type Value } from '@metaapo/engine';
import type { ProjectedHeads } from './decoder-block.js';
import { narrowed, softCap, softCapSlope } from './layers.js';

/** Heads of one attention layer. */
export interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Bound of the scores; see `TransformerConfig`. */
  readonly scoreCap?: number | undefined;
}

/**
 * Where the rows of packed queries, keys and values stand in the tiles on which attention is computed. A tile is a run
 * of queries of one prompt or response together with all the keys they may see. Tiles lie in pieces of about as many
 * keys; those of a piece are padded to one size. Pieces are computed one after the other, so that only one piece's scores
 * take memory at a time. With h heads in g groups of r = h / g, N tokens, and T tiles of Q queries and K keys in a piece:
 */
export interface TileRows {
  /** `[S]` int32: row of the queries `[N*h, d]` for each slot, piece after piece `[g, T, r, Q]`; any row for padding. */
  readonly queryRows: Value;
  /** `[N*h]` int32: the slot of each row of the queries. */
  readonly slots: Value;
  readonly pieces: readonly TilePiece[];
}

/** The tiles of one piece. */
export interface TilePiece {
  /** `[T, Q]` int32 positions; padding slots hold a number above every position. */
  readonly queryPositions: Value;
  /** `[T, K]` int32 positions; padding slots hold a number above every query position. */
  readonly keyPositions: Value;
  /** `[g, T, K]` int32: row of the keys and values `[N*g, d]` for each slot; any row for padding. */
  readonly keyRows: Value;
}

const flat = (indices: Value): Value => ops.reshape(indices, [product(...indices.shape)]);

/**
 * What to add to attention scores: 0 where a key's position is at most the query's (and, with a window, less than
 * `window` before it), -1e9 elsewhere. Computed once and shared by the layers.
 * @param repeats r, the query heads that share a key head
 * @returns `[1, T*r*Q*K]` float32
 */
export function attentionMask(
  { queryPositions, keyPositions }: TilePiece,
  repeats: number,
  window: number | undefined,
): Value {
  const [tiles, queries] = queryPositions.shape as readonly [string, string];
  const keys = keyPositions.shape[1]!;
  const graph = queryPositions.graph;
  const query = ops.reshape(queryPositions, [tiles, queries, 1]);
  const key = ops.reshape(keyPositions, [tiles, 1, keys]);
  let isVisible = ops.lessEqual(key, query);
  if (window !== undefined) {
    const oldest = ops.subtract(ops.cast(query, 'float32'), window);
    isVisible = ops.logicalAnd(isVisible, ops.less(oldest, ops.cast(key, 'float32')));
  }
  const hidden = ops.multiply(ops.subtract(1, ops.cast(isVisible, 'float32')), ops.scalar(graph, -1e9));
  const perTile = ops.reshape(hidden, [tiles, 1, product(queries, keys)]);
  const repeated = ops.broadcastTo(perTile, [tiles, repeats, product(queries, keys)]);
  return ops.reshape(repeated, [1, product(tiles, repeats, queries, keys)]);
}

/** One layer's attention, as what writes its graph sees it. */
interface TileScope extends TileRows {
  readonly heads: ProjectedHeads;
  /** From {@link attentionMask}, one a piece. */
  readonly masks: readonly Value[];
  readonly counts: HeadCounts;
  /** Slots of each piece. */
  readonly sizes: Value['shape'];
}

/** Queries, keys and values of a piece's tiles: `[gT, rQ, d]`, `[gT, K, d]`, `[gT, K, d]`, with its mask. */
interface PieceTiles {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly mask: Value;
}

/**
 * Scaled dot-product attention of packed rows (arXiv 1706.03762, eq. 1); the scale is already in the queries.
 * @param heads queries `[N*h, d]`, row = token * h + head; keys and values `[N*g, d]`, row = token * g + group
 * @param masks from {@link attentionMask}, one a piece
 * @returns `[N*h, d]`
 */
export function attention(heads: ProjectedHeads, rows: TileRows, masks: readonly Value[], counts: HeadCounts): Value {
  const { heads: h, keyValueHeads: g } = counts;
  const sizes = rows.pieces.map(({ queryPositions }) => product(g, h / g, ...queryPositions.shape));
  const scope: TileScope = { ...rows, heads, masks, counts, sizes };
  const [output] = ops.withGradient(
    [heads.query, heads.key, heads.value],
    () => [attend(scope)],
    ([gradient]) => backward(scope, output!, gradient!),
  );
  return output!;
}

/**
 * The same by a fused kernel, in the element type of the queries.
 * @param segments see `AttentionInputs`
 */
export function fusedAttention(
  { query, key, value }: ProjectedHeads,
  segments: Value,
  { heads, keyValueHeads: groups, scoreCap: cap }: HeadCounts,
  window: number | undefined,
): Value {
  const form = { heads, groups, window, cap };
  const { dtype } = query;
  const inputs = (): kernels.AttentionInputs => {
    const [k, v] = [key, value].map((x) => ops.cast(narrowed(x), dtype)) as [Value, Value];
    return { query, key: k, value: v, segments };
  };
  let scales: Value;
  const [output] = ops.withGradient(
    [query, key, value],
    () => {
      const [attended, ofScores] = kernels.attention(inputs(), form);
      scales = keep(ofScores, 'matmul');
      return [attended];
    },
    ([g]) => {
      const gradient = ops.cast(narrowed(g!), dtype);
      return kernels.attentionGradient({ output: output!, scales, gradient }, inputs(), form);
    },
  );
  return output!;
}

/** Rows of all slots, cut into pieces `[gT, rQ, d]`. */
function cut(rows: Value, { pieces, sizes, counts }: TileScope): readonly Value[] {
  const { heads: h, keyValueHeads: g, headDim: d } = counts;
  return ops.split(rows, sizes, 0).map((piece, at) => {
    const [tiles, queries] = pieces[at]!.queryPositions.shape;
    return ops.reshape(piece, [product(g, tiles!), product(h / g, queries!), d]);
  });
}

/** Pieces `[gT, rQ, d]` as rows of the queries again. */
function join(outputs: readonly Value[], { queryRows, slots, sizes, counts }: TileScope): Value {
  const rows = outputs.map((output, at) => ops.reshape(output, [sizes[at]!, counts.headDim]));
  return ops.gather(ops.concat(rows, 0, queryRows.shape[0]!), slots);
}

function tilesOf(q: Value, at: number, { pieces, heads, masks, counts }: TileScope): PieceTiles {
  const { keyRows } = pieces[at]!;
  const [, tiles, keys] = keyRows.shape;
  const rows = flat(keyRows);
  const shape = [product(counts.keyValueHeads, tiles!), keys!, counts.headDim];
  return {
    q,
    k: ops.reshape(ops.gather(heads.key, rows), shape),
    v: ops.reshape(ops.gather(heads.value, rows), shape),
    mask: masks[at]!,
  };
}

/** Scores `[gT, rQ, K]`. */
function scoresOf({ q, k }: PieceTiles, { scoreCap }: HeadCounts): Value {
  const scores = ops.batchMatmul(q, k, { transposeB: true });
  return scoreCap === undefined ? scores : softCap(scores, scoreCap);
}

/** Softmax of the masked scores, `[gT, rQ, K]`. */
function weightsOf(scores: Value, { mask }: PieceTiles, { keyValueHeads: g }: HeadCounts): Value {
  const [batch, queries, keys] = scores.shape;
  const masked = ops.add(ops.reshape(scores, [g, mask.shape[1]!]), mask);
  const normalized = ops.softmax(ops.reshape(masked, [product(batch!, queries!), keys!]));
  return ops.reshape(normalized, [batch!, queries!, keys!]);
}

function attend(scope: TileScope): Value {
  const { heads, queryRows, counts } = scope;
  const outputs: Value[] = [];
  for (const [at, q] of cut(ops.gather(heads.query, queryRows), scope).entries()) {
    const output = inOrder(q.graph, outputs.at(-1), () => {
      const tiles = tilesOf(q, at, scope);
      return ops.batchMatmul(weightsOf(scoresOf(tiles, counts), tiles, counts), tiles.v);
    });
    outputs.push(output);
  }
  return join(outputs, scope);
}

/** What the backward pass reads of a piece: its slots' queries, dO `[gT, rQ, d]`, and rowsum(dO * O) of each slot. */
interface PieceGradient {
  readonly q: Value;
  readonly dO: Value;
  readonly dots: Value;
}

/**
 * dV = P^T dO; dS = P * (dO V^T - rowsum(dO * O)); dQ = dS K; dK = dS^T Q (arXiv 2205.14135, section B.4). The tiles
 * and P are computed again from the packed rows.
 */
function backward(scope: TileScope, output: Value, gradient: Value): readonly Value[] {
  const { heads, queryRows, slots, sizes } = scope;
  const slotCount = queryRows.shape[0]!;
  const queries = cut(ops.gather(heads.query, queryRows), scope);
  const slotGradients = ops.segmentSum(gradient, slots, slotCount);
  const dots = ops.sum(ops.multiply(slotGradients, ops.gather(output, queryRows)), [1]);
  const pieceDots = ops.split(ops.reshape(dots, [slotCount, 1]), sizes, 0);
  const dO = cut(slotGradients, scope);
  const outputs: Value[] = [];
  let [dK, dV]: readonly (Value | undefined)[] = [];
  for (const [at, q] of queries.entries()) {
    inOrder(q.graph, dV, () => {
      const piece = pieceBackward({ q, dO: dO[at]!, dots: pieceDots[at]! }, at, scope);
      outputs.push(piece.dQ());
      dK = accumulate(dK, piece.dK(), at, heads.key, scope);
      dV = accumulate(dV, piece.dV(), at, heads.value, scope);
    });
  }
  return [join(outputs, scope), dK!, dV!];
}

/** The gradients of a piece's tiles, each written when it is asked for. */
function pieceBackward(
  { q, dO, dots }: PieceGradient,
  at: number,
  scope: TileScope,
): Readonly<Record<'dQ' | 'dK' | 'dV', () => Value>> {
  const { counts, sizes } = scope;
  const { scoreCap } = counts;
  const tiles = tilesOf(q, at, scope);
  const scores = scoresOf(tiles, counts);
  const p = weightsOf(scores, tiles, counts);
  const dP = ops.batchMatmul(dO, tiles.v, { transposeB: true });
  const rows = [sizes[at]!, tiles.k.shape[1]!];
  const centred = ops.subtract(ops.reshape(dP, rows), dots);
  const dCapped = ops.reshape(ops.multiply(ops.reshape(p, rows), centred), p.shape);
  const dS = scoreCap === undefined ? dCapped : ops.multiply(dCapped, softCapSlope(scores, scoreCap));
  return {
    dQ: () => ops.batchMatmul(dS, tiles.k),
    dK: () => ops.batchMatmul(dS, q, { transposeA: true }),
    dV: () => ops.batchMatmul(p, dO, { transposeA: true }),
  };
}

/** Adds what a piece's tiles `[gT, K, d]` say of rows of keys or values. */
function accumulate(
  sum: Value | undefined,
  tiles: Value,
  at: number,
  like: Value,
  { pieces, counts }: TileScope,
): Value {
  const rows = flat(pieces[at]!.keyRows);
  const piece = ops.segmentSum(ops.reshape(tiles, [rows.shape[0]!, counts.headDim]), rows, like.shape[0]!);
  return sum === undefined ? piece : ops.add(sum, piece);
}
