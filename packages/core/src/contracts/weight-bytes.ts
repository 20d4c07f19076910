import type { ModelSource } from './model-source.js';

/** A training of any kind: the weights are the same in all. */
const ANY_TRAINING = { optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }, seed: 0, longestRow: 1 };

/** Bytes that the weights of a model take where it is computed; nothing where its source cannot tell. */
export async function weightBytes(source: Pick<ModelSource, 'estimateMemory'>): Promise<number | undefined> {
  return (await source.estimateMemory?.({ ...ANY_TRAINING, groups: [] }))?.parts.weights;
}
