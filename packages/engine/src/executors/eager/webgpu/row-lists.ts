import * as tf from '@tensorflow/tfjs';
import type { FedIndices } from './fed-indices.js';

/** Which rows go where: for each target that is named, the rows that name it, in their order. */
export interface RowLists {
  /** Targets that are named, or all of them. */
  readonly count: number;
  /** int32: targets `[count]`, where each one's rows begin `[count + 1]`, and the rows. Borrowed. */
  readonly packed: tf.Tensor;
}

/**
 * The row lists of indices: sums by index are the same in every run only where rows are added in a fixed order.
 * @param targets all targets, where those that no row names count too
 */
export function rowLists(fed: FedIndices, indices: tf.Tensor, targets?: number): RowLists {
  return fed.derive(indices, `rows ${targets}`, (data) => listRows(data, targets));
}

function listRows(data: Int32Array, targets: number | undefined): RowLists {
  const rows = new Map<number, number[]>();
  for (let target = 0; target < (targets ?? 0); target++) rows.set(target, []);
  for (const [row, target] of data.entries()) {
    const list = rows.get(target);
    if (list === undefined) rows.set(target, [row]);
    else list.push(row);
  }
  const count = rows.size;
  const packed = new Int32Array(2 * count + 1 + data.length);
  let [place, end] = [0, 0];
  for (const [target, list] of rows) {
    packed[place] = target;
    packed.set(list, 2 * count + 1 + end);
    end += list.length;
    packed[count + place + 1] = end;
    place++;
  }
  return { count, packed: tf.keep(tf.tensor1d(packed, 'int32')) };
}
