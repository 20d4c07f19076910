import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it, type TestContext } from 'vitest';
import { missingBackend } from './missing-backend.js';

let missing: string | undefined;

beforeAll(async () => {
  missing = await missingBackend('tensorflow');
});

/** A test that needs the native backend; it must leave as many tensors as it found. */
export function native(name: string, run: () => Promise<void>): void {
  it(name, async (context: TestContext) => {
    if (missing !== undefined) return context.skip(missing);
    const before = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  }, 60_000);
}
