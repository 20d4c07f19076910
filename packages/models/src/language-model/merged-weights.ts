import * as tf from '@tensorflow/tfjs';
import { adapterNames } from '../network/index.js';
import type { DeclaredParameters } from './declare-parameters.js';

type ReadParameter = (name: string) => Promise<Float32Array>;

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
