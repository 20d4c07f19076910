import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';

/**
 * What is made of the indices that a run is fed, once a run, while their numbers are at hand: nothing is read back from the
 * GPU.
 */
export interface FedIndices {
  /** Notes the numbers of a fed tensor of indices. */
  note(indices: tf.Tensor, data: Int32Array): void;
  /**
   * What `make` gives for the noted numbers, made once for each `name`.
   * @returns borrowed: its tensors live until {@link clear}
   */
  derive<Made extends object>(indices: tf.Tensor, name: string, make: (data: Int32Array) => Made): Made;
  /** Frees what was made. */
  clear(): void;
}

/** Nothing noted yet. */
export function createFedIndices(): FedIndices {
  const noted = new Map<object, Int32Array>();
  const made = new Map<object, Map<string, object>>();
  const numbersOf = (indices: tf.Tensor): Int32Array => {
    const data = noted.get(indices.dataId);
    if (data !== undefined) return data;
    throw new MetaapoError('internal', 'indices were not fed as numbers', { where: 'backend webgpu' });
  };
  return {
    note: (indices, data) => void noted.set(indices.dataId, data),
    derive<Made extends object>(indices: tf.Tensor, name: string, make: (data: Int32Array) => Made): Made {
      const known = made.get(indices.dataId) ?? new Map<string, object>();
      made.set(indices.dataId, known);
      const result = (known.get(name) as Made | undefined) ?? make(numbersOf(indices));
      known.set(name, result);
      return result;
    },
    clear() {
      for (const known of made.values()) for (const result of known.values()) tf.dispose(result as tf.TensorContainer);
      made.clear();
      noted.clear();
    },
  };
}
