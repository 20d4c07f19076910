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
    read: async () =>
      shape.length > 1
        ? normalArray(sizeOf(shape), deviation, seedOf(['weights', seed, index]))
        : new Float32Array(sizeOf(shape)).fill(name.endsWith('norm.weight') ? 1 - normalised.normOffset : 0),
  }));
  await replaceDirectory(directory, (fresh) => saveCheckpoint(fresh, normalised, tensors));
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);
