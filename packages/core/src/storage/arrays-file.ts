import type { MetaLearnerState, StateArray } from '../contracts/index.js';
import { openSafetensors, requireFinite, writeSafetensors } from './safetensors.js';

/**
 * Writes named float32 arrays as a safetensors file, atomically.
 * @returns key of all that it holds, as {@link writeSafetensors} gives it
 */
export function writeArrays(file: string, arrays: MetaLearnerState): Promise<string> {
  const tensors = Object.entries(arrays).map(([name, { shape, values }]) => ({
    name,
    shape,
    dtype: 'F32' as const,
    read: async () => values,
  }));
  return writeSafetensors(file, tensors);
}

/**
 * Reads all arrays of a safetensors file.
 * @throws MetaapoError with code `checkpoint` when it is missing or damaged, or a number is not finite
 */
export async function readArrays(file: string): Promise<MetaLearnerState> {
  const opened = await openSafetensors(file);
  try {
    const arrays: [string, StateArray][] = [];
    for (const [name, { shape }] of opened.tensors) {
      const values = await opened.read(name);
      requireFinite(values, name, file);
      arrays.push([name, { shape, values }]);
    }
    return Object.fromEntries(arrays);
  } finally {
    await opened.close();
  }
}
