import * as tf from '@tensorflow/tfjs';
import { openCheckpoint } from '../checkpoint/open-checkpoint.js';
import { adapterNames } from '../transformer/index.js';
import type { DeclaredParameters } from './declare-parameters.js';

type ReadParameter = (name: string) => Promise<Float32Array>;

/**
 * Gives `use` a reader of parameters with all their digits: those that the session stores in bfloat16 are read from the
 * checkpoint again.
 */
export async function withExactWeights(
  directory: string,
  { parameters }: DeclaredParameters,
  read: ReadParameter,
  use: (read: ReadParameter) => Promise<void>,
): Promise<void> {
  if ([...parameters.values()].every(({ dtype }) => dtype === 'float32')) return use(read);
  const checkpoint = await openCheckpoint(directory);
  try {
    await use((name) => (parameters.get(name)?.dtype === 'bfloat16' ? checkpoint.read(name) : read(name)));
  } finally {
    await checkpoint.close();
  }
}

/** A reader of base weights in which every adapted matrix is W + scaling * B A. */
export function mergedWeights({ adapters, parameters }: DeclaredParameters, read: ReadParameter): ReadParameter {
  return async (name) => {
    const values = await read(name);
    const adapter = name.endsWith('.weight') ? adapters.get(name.slice(0, -'.weight'.length)) : undefined;
    if (adapter === undefined) return values;
    const names = adapterNames(adapter.module);
    const [a, b] = [await read(names.a), await read(names.b)];
    const [rows, columns] = parameters.get(name)!.shape as [number, number];
    const merged = tf.tidy(() => {
      const product = tf.matMul(tf.tensor2d(b, [rows, adapter.rank]), tf.tensor2d(a, [adapter.rank, columns]));
      return tf.add(tf.tensor2d(values, [rows, columns]), tf.mul(product, adapter.scaling));
    });
    const result = (await merged.data()) as Float32Array;
    merged.dispose();
    return result;
  };
}
