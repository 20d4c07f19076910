import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { missingBackend } from '../../../../test/missing-backend.js';
import { runShader } from './run-shader.js';
import { deviceHasSubgroups, reductions, THREADS } from './workgroup-sums.js';

const missing = await missingBackend('webgpu');
if (missing !== undefined) console.log(`skipped: sums of workgroups are not tested here: ${missing}`);

describe.skipIf(missing !== undefined)('sums of workgroups', () => {
  it.each([false, true])('are those of the numbers, and so is the greatest; with subgroups: %s', async (subgroups) => {
    if (subgroups && !deviceHasSubgroups()) return console.log('skipped: the adapter has no subgroup operations');
    const rows = 5;
    // Whole numbers, so that no order of adding them up rounds.
    const numbers = Float32Array.from({ length: rows * THREADS }, (_, at) => ((at * 7919) % 1009) - 900);
    const x = tf.tensor1d(numbers);
    const shader = {
      name: `reductions in a test, ${subgroups}`,
      inputs: ['x'],
      uniforms: { rows },
      runs: { groups: rows },
      code: () => `${reductions(subgroups)}
        fn compute(index : i32) {
          let thread = i32(localIndex);
          let own = x[min(index, uniforms.rows - 1) * ${THREADS} + thread];
          let sum = reduceSum(own, thread);
          let top = reduceMax(own, thread);
          if (thread == ${THREADS - 1} && index < uniforms.rows) {
            result[2 * index] = sum;
            result[2 * index + 1] = top;
          }
        }`,
    };
    const result = runShader(shader, [x], [rows, 2]);
    const expected = Array.from({ length: rows }, (_, row) => {
      const own = [...numbers.subarray(row * THREADS, (row + 1) * THREADS)];
      return [own.reduce((sum, number) => sum + number, 0), Math.max(...own)];
    });
    expect([...(await result.data())]).toEqual(expected.flat());
    tf.dispose([x, result]);
  });
});
