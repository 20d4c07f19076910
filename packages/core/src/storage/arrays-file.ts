import type { MetaLearnerState, StateArray } from '../contracts/index.js';
import { openSafetensors, writeSafetensors } from './safetensors.js';

/** Writes named float32 arrays as a safetensors file, atomically. */
export function writeArrays(file: string, arrays: MetaLearnerState): Promise<void> {
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
 * @throws MetaapoError with code `checkpoint` when it is missing or damaged
 */
export async function readArrays(file: string): Promise<MetaLearnerState> {
  const opened = await openSafetensors(file);
  try {
    const arrays: Record<string, StateArray> = {};
    for (const [name, { shape }] of opened.tensors) arrays[name] = { shape, values: await opened.read(name) };
    return arrays;
  } finally {
    await opened.close();
  }
}
