import { operations as ops, product, type Shape, type Value } from '@metaapo/engine';

/** Heads of one attention layer. */
export interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/**
 * Where the rows of packed queries, keys and values stand in the tiles on which attention is computed. A tile is a run
 * of queries of one prompt or response together with all the keys they may see; tiles are padded to one size.
 * With T tiles of Q queries and K keys, h heads in g groups of r = h / g, and N tokens:
 */
export interface TileRows {
  /** `[g, T, r, Q]` int32: row of the queries `[N*h, d]` for each slot; any row for padding. */
  readonly queryRows: Value;
  /** `[g, T, K]` int32: row of the keys and values `[N*g, d]` for each slot; any row for padding. */
  readonly keyRows: Value;
  /** `[N*h]` int32: the slot, in the order of `queryRows`, of each row of the queries. */
  readonly slots: Value;
}

/** The tiles' geometry, in symbols. */
interface TileShapes {
  readonly batch: ReturnType<typeof product>;
  readonly queries: ReturnType<typeof product>;
  readonly keys: Shape[number];
}

function shapesOf({ queryRows, keyRows }: TileRows): TileShapes {
  const [groups, tiles, repeats, queries] = queryRows.shape as readonly [number, string, number, string];
  return { batch: product(groups, tiles), queries: product(repeats, queries), keys: keyRows.shape[2]! };
}

const flat = (indices: Value): Value => ops.reshape(indices, [product(...indices.shape)]);

/**
 * What to add to attention scores: 0 where a key's position is at most the query's (and, with a window, less than
 * `window` before it), -1e9 elsewhere. Computed once and shared by the layers.
 * @param queryPositions `[T, Q]` int32; padding slots hold a number above every position
 * @param keyPositions `[T, K]` int32; padding slots hold a number above every query position
 * @param repeats r, the query heads that share a key head
 * @returns `[1, T*r*Q*K]` float32
 */
export function attentionMask(
  queryPositions: Value,
  keyPositions: Value,
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

/**
 * Scaled dot-product attention of packed rows (arXiv 1706.03762, eq. 1); the scale is already in the queries.
 * @param query `[N*h, d]`, row = token * h + head
 * @param key `[N*g, d]`, row = token * g + group
 * @param value `[N*g, d]`
 * @param mask from {@link attentionMask}
 * @returns `[N*h, d]`
 */
export function attention(query: Value, key: Value, value: Value, rows: TileRows, mask: Value, d: number): Value {
  const { batch, queries, keys } = shapesOf(rows);
  const groups = rows.queryRows.shape[0] as number;
  const queryRows = flat(rows.queryRows);
  const keyRows = flat(rows.keyRows);
  const [output] = ops.withGradient(
    [query, key, value],
    () => [attend()],
    ([g]) => backward(g!),
  );
  return output!;

  function tiles() {
    return {
      q: ops.reshape(ops.gather(query, queryRows), [batch, queries, d]),
      k: ops.reshape(ops.gather(key, keyRows), [batch, keys, d]),
      v: ops.reshape(ops.gather(value, keyRows), [batch, keys, d]),
    };
  }

  function weights(q: Value, k: Value): Value {
    const scores = ops.batchMatmul(q, k, { transposeB: true });
    const masked = ops.add(ops.reshape(scores, [groups, mask.shape[1]!]), mask);
    return ops.softmax(ops.reshape(masked, [product(batch, queries), keys]));
  }

  function attend(): Value {
    const { q, k, v } = tiles();
    const p = ops.reshape(weights(q, k), [batch, queries, keys]);
    return ops.gather(ops.reshape(ops.batchMatmul(p, v), [queryRows.shape[0]!, d]), rows.slots);
  }

  /**
   * dV = P^T dO; dS = P * (dO V^T - rowsum(dO * O)); dQ = dS K; dK = dS^T Q (arXiv 2205.14135, section B.4). The tiles
   * and P are computed again from the packed rows.
   */
  function backward(g: Value): readonly Value[] {
    const slotCount = queryRows.shape[0]!;
    const { q, k, v } = tiles();
    const p = weights(q, k);
    const dO = ops.segmentSum(g, rows.slots, slotCount);
    const o = ops.gather(output!, queryRows);
    const dots = ops.reshape(ops.sum(ops.multiply(dO, o), [1]), [slotCount, 1]);
    const dTiles = ops.reshape(dO, [batch, queries, d]);
    const dP = ops.reshape(ops.batchMatmul(dTiles, v, { transposeB: true }), [slotCount, keys]);
    const dS = ops.reshape(ops.multiply(p, ops.subtract(dP, dots)), [batch, queries, keys]);
    const dQ = ops.gather(ops.reshape(ops.batchMatmul(dS, k), [slotCount, d]), rows.slots);
    const back = (tile: Value, like: Value): Value =>
      ops.segmentSum(ops.reshape(tile, [keyRows.shape[0]!, d]), keyRows, like.shape[0]!);
    const dK = back(ops.batchMatmul(dS, q, { transposeA: true }), key);
    const pTiles = ops.reshape(p, [batch, queries, keys]);
    const dV = back(ops.batchMatmul(pTiles, dTiles, { transposeA: true }), value);
    return [dQ, dK, dV];
  }
}
