import { join } from 'node:path';
import { uniformOf } from '@metaapo/core/numerics';
import type { CheckpointPolicy, Profile } from '@metaapo/engine';
import { estimateTrainingMemory, loadLanguageModel } from '@metaapo/models';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';

const directory = join(root, 'fixtures', 'models', 'qwen2');
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const ids = (key: number, length: number): Int32Array =>
  Int32Array.from({ length }, (_, at) => 3 + Math.floor(93 * uniformOf(['memory', key, at])));
/** 896 predicted tokens: a size that passes are not filled up beyond. */
const groups = Array.from({ length: 8 }, (_, row) => ({
  prompt: ids(3 * row, 40),
  responses: [ids(3 * row + 1, 60), ids(3 * row + 2, 52)],
}));
const bytes = (): number => tf.memory().numBytes;

/** Bytes of tensors that an eager pass keeps and holds at most, above those of weights and gradients. */
async function measure(checkpoint: CheckpointPolicy) {
  let peak = 0;
  const record = (): void => {
    peak = Math.max(peak, bytes());
  };
  const profile: Profile = { record, reset: () => undefined, costs: () => [] };
  const model = await loadLanguageModel(directory, { optimizer, executor: 'eager', profile, checkpoint });
  const weights = bytes();
  const hidden = 4 * groups.flatMap(({ responses }) => responses).reduce((sum, { length }) => sum + length, 0);
  const ticket = await model.forward(groups);
  const kept = bytes() - weights - hidden * model.config.hiddenSize;
  await model.backward(ticket, { perResponse: new Float32Array(16).fill(1) });
  const gradients = bytes() - weights;
  const { config } = model;
  model.dispose();
  return { config, kept, peak: peak - weights - gradients };
}

describe('the estimate of a training', () => {
  it('knows what the forward pass keeps, and the peak of the passes within a quarter', async (context) => {
    const missing = await prepareBackend('tensorflow');
    if (missing !== undefined) return context.skip(missing);
    for (const checkpoint of ['none', 'matmul-outputs', 'block-inputs'] as const) {
      const { config, kept, peak } = await measure(checkpoint);
      const estimate = estimateTrainingMemory({ config, precision: 'float32', checkpoint, groups });
      expect(estimate.activations, checkpoint).toBe(kept);
      expect(Math.abs((estimate.activations + estimate.working) / peak - 1), checkpoint).toBeLessThan(0.25);
    }
  });

  it('counts four times the trained weights, and the KV cache', async () => {
    const { config } = await measure('matmul-outputs');
    const none = { precision: 'float32', checkpoint: 'matmul-outputs', groups } as const;
    const { weights, gradients, moments, cache, parameters } = estimateTrainingMemory({
      ...none,
      config,
      // Seven pages of 16.
      cachedTokens: 100,
    });
    expect([weights, gradients, moments]).toEqual([4, 4, 8].map((factor) => factor * parameters.all));
    const numbers = 112 * 2 * config.layers * config.keyValueHeads * config.headDim;
    expect(cache).toBe(4 * numbers);
    const narrow = { ...none, config, precision: 'bfloat16', cachedTokens: 100 } as const;
    expect(estimateTrainingMemory(narrow).cache).toBe(2 * numbers);
  });
});
