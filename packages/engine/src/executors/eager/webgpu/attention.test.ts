import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import {
  ATTENTION_CASES,
  type AttentionCase,
  attentionInFloat64,
  attentionInputs,
  writeAttention,
} from '../../../../test/attention-cases.js';
import {
  CACHED_ATTENTION_CASES,
  cachedAttentionInFloat64,
  cachedAttentionInputs,
  writeCachedAttention,
} from '../../../../test/cached-attention-cases.js';
import { distance, kernelResults, type Results } from '../../../../test/kernel-results.js';
import { missingBackend } from '../../../../test/missing-backend.js';
import { openEagerSession } from '../session.js';

const missing = await missingBackend('webgpu');
if (missing !== undefined) console.log(`skipped: attention on WebGPU is not tested here: ${missing}`);

const attend = (item: AttentionCase): Promise<Results> =>
  kernelResults(openEagerSession, attentionInputs(item), (of) => writeAttention(of, item, 'float32'));

describe.skipIf(missing !== undefined)('attention by tiles on WebGPU', { timeout: 60_000 }, () => {
  it.each(ATTENTION_CASES)('gives what float64 gives, and all gradients: $name', async (item) => {
    const before = tf.memory().numTensors;
    const got = await attend(item);
    for (const [name, expected] of Object.entries(attentionInFloat64(item))) {
      // Sums of float32 in another order, and exponentials of the GPU's own.
      expect(distance(got[name]!, expected), name).toBeLessThan(8e-6);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(CACHED_ATTENTION_CASES)('attends to a cache: $name', async (item) => {
    const types = { query: 'float32', cache: 'float32' } as const;
    const got = await kernelResults(openEagerSession, cachedAttentionInputs(item), (of) =>
      writeCachedAttention(of, item, types),
    );
    expect(distance(got.output!, cachedAttentionInFloat64(item))).toBeLessThan(8e-6);
  });

  it('gives the same bits each time', async () => {
    expect(await attend(ATTENTION_CASES[0]!)).toEqual(await attend(ATTENTION_CASES[0]!));
  });
});
