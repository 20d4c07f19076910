import { normalArray, seedOf } from '@metaapo/core/numerics';
import { replaceDirectory } from '@metaapo/core/storage';
import { expectedTensors } from './expected-tensors.js';
import { normalise } from './model-config.js';
import { saveCheckpoint } from './save-checkpoint.js';

/**
 * Writes a model directory with random float32 weights: matrices normal, norms 1, biases 0.
 * @param config config.json as transformers writes it
 * @param deviation standard deviation of the matrices; default 0.02
 * @throws MetaapoError with code `checkpoint` when the configuration is not supported
 */
export async function writeRandomModel(
  directory: string,
  config: Readonly<Record<string, unknown>>,
  seed: number,
  deviation = 0.02,
): Promise<void> {
  const normalised = normalise(config, directory);
  const tensors = [...expectedTensors(normalised)].map(([name, shape], index) => ({
    name,
    shape,
    dtype: 'F32' as const,
    read: async () => initialValues(name, shape, deviation, seedOf(['weights', seed, index])),
  }));
  await replaceDirectory(directory, (fresh) => saveCheckpoint(fresh, normalised, tensors));
}

function initialValues(name: string, shape: readonly number[], deviation: number, seed: number): Float32Array {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (shape.length > 1) return normalArray(size, deviation, seed);
  return new Float32Array(size).fill(name.endsWith('norm.weight') ? 1 : 0);
}
