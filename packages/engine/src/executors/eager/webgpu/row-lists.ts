import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';

/** Which rows go where: for each target that is named, the rows that name it, in their order. */
export interface RowLists {
  /** Targets that are named, or all of them. */
  readonly count: number;
  /** int32: targets `[count]`, where each one's rows begin `[count + 1]`, and the rows. Borrowed. */
  readonly packed: tf.Tensor;
}

/**
 * Row lists of what runs are fed. Sums by index are the same in every run only where rows are added in a fixed order, so the
 * lists are made here, once a run, of the indices as they came.
 */
export interface RowListCache {
  /** Notes the numbers of a fed tensor of indices. */
  note(indices: tf.Tensor, data: Int32Array): void;
  /**
   * The lists of noted indices.
   * @param targets all targets, where those that no row names count too
   */
  of(indices: tf.Tensor, targets?: number): RowLists;
  /** Frees the lists. */
  clear(): void;
}

/** An empty cache. */
export function createRowLists(): RowListCache {
  const noted = new Map<object, Int32Array>();
  const made = new Map<object, Map<number | undefined, RowLists>>();
  const numbersOf = (indices: tf.Tensor): Int32Array => {
    const data = noted.get(indices.dataId);
    if (data !== undefined) return data;
    throw new MetaapoError('internal', 'the indices of a sum were not fed as numbers', { where: 'backend webgpu' });
  };
  return {
    note: (indices, data) => void noted.set(indices.dataId, data),
    of(indices, targets) {
      const known = made.get(indices.dataId) ?? new Map<number | undefined, RowLists>();
      made.set(indices.dataId, known);
      const lists = known.get(targets) ?? listRows(numbersOf(indices), targets);
      known.set(targets, lists);
      return lists;
    },
    clear() {
      for (const known of made.values()) for (const { packed } of known.values()) packed.dispose();
      made.clear();
      noted.clear();
    },
  };
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
