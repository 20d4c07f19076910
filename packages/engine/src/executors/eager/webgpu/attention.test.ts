import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import {
  ATTENTION_CASES,
  type AttentionCase,
  attentionInFloat64,
  attentionInputs,
  distance,
  writeAttention,
} from '../../../../test/attention-cases.js';
import { selectBackend } from '../../../backends/select-backend.js';
import { createGraph, finishProgram, kernels, operations as ops } from '../../../program/index.js';
import { openEagerSession } from '../session.js';

const missing = await selectBackend({ prefer: 'webgpu' }).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.log(`skipped: attention on WebGPU is not tested here: ${missing}`);

async function attend(item: AttentionCase): Promise<Readonly<Record<string, Float32Array>>> {
  const graph = createGraph('test', kernels.ALL);
  const inputs = attentionInputs(item);
  const values = Object.entries(inputs).map(([name, { shape, data }]) => {
    return [name, ops.input(graph, name, shape, data instanceof Int32Array ? 'int32' : 'float32')] as const;
  });
  const outputs = writeAttention(Object.fromEntries(values), item, 'float32');
  const session = openEagerSession({ test: finishProgram(graph, outputs) });
  const computed = await session.run('test', inputs);
  const arrays: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(computed)) {
    arrays[name] = (await tensor.data()) as Float32Array;
    tensor.dispose();
  }
  session.dispose();
  return arrays;
}

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

  it('gives the same bits each time', async () => {
    expect(await attend(ATTENTION_CASES[0]!)).toEqual(await attend(ATTENTION_CASES[0]!));
  });
});
