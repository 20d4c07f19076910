import { bfloat16FromFloat32, float32FromBfloat16 } from '@metaapo/core/storage';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { missingBackend } from '../../../../test/missing-backend.js';
import { numbers, sizeOf } from '../../../../test/primitive-cases.js';
import { resultsOf } from '../../../../test/run-program.js';
import { createGraph, finishProgram, type Graph, operations as ops, type Value } from '../../../program/index.js';
import type { FedTensor, Session } from '../../session.js';
import { openEagerSession } from '../session.js';

const missing = await missingBackend('webgpu');
if (missing !== undefined) console.log(`skipped: bfloat16 on WebGPU is not tested here: ${missing}`);

const rounded = (values: Float32Array): Float32Array => float32FromBfloat16(bfloat16FromFloat32(values));
const float = (shape: readonly number[], seed: number): FedTensor => ({ data: numbers(sizeOf(shape), seed), shape });

interface Sizes {
  readonly batch?: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** In float64, of factors that were rounded. */
function expected(a: Float32Array, b: Float32Array, sizes: Sizes): Float32Array {
  const { batch = 1, m, k, n, transposeA, transposeB } = sizes;
  const [left, right] = [rounded(a), rounded(b)];
  return Float32Array.from({ length: batch * m * n }, (_, index) => {
    const [matrix, row, column] = [Math.floor(index / (m * n)), Math.floor(index / n) % m, index % n];
    let sum = 0;
    for (let term = 0; term < k; term++) {
      const x = left[matrix * m * k + (transposeA ? term * m + row : row * k + term)]!;
      sum += x * right[matrix * k * n + (transposeB ? column * k + term : term * n + column)]!;
    }
    return sum;
  });
}

/** Half a step of bfloat16, and what a float32 sum of a few hundred terms near 1 rounds. */
function expectRounded(got: Float32Array, wanted: Float32Array): void {
  expect(got.length).toBe(wanted.length);
  expect(got).toEqual(rounded(got));
  for (const [at, value] of wanted.entries()) {
    expect(Math.abs(got[at]! - value), `${at}`).toBeLessThanOrEqual(2 ** -8 * Math.abs(value) + 1e-5);
  }
}

async function run(
  write: (graph: Graph) => Record<string, Value>,
  feeds: Record<string, FedTensor>,
  prepare: (session: Session) => Promise<void> = async () => undefined,
): Promise<Readonly<Record<string, Float32Array>>> {
  await tf.setBackend('webgpu');
  const before = tf.memory().numTensors;
  const graph = createGraph('test');
  const session = openEagerSession({ test: finishProgram(graph, write(graph)) });
  await prepare(session);
  const results = await resultsOf(session, 'test', feeds);
  session.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return results;
}

const TRANSPOSES = [
  { transposeA: false, transposeB: false },
  { transposeA: true, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: true },
] as const;

describe.skipIf(missing !== undefined)('bfloat16 on WebGPU', { timeout: 60_000 }, () => {
  it.each(TRANSPOSES)('multiplies what was rounded, and rounds the result: %o', async (transposes) => {
    const { transposeA, transposeB } = transposes;
    for (const [m, k, n] of [
      [1, 3, 1],
      [7, 33, 130],
      [1, 131, 70],
      [4, 100, 64],
      [70, 40, 66],
    ] as const) {
      const [a, b] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
      const feeds = { a: float(a, 1), b: float(b, 2) };
      const narrow = (graph: Graph, name: string, shape: readonly number[]): Value =>
        ops.cast(ops.input(graph, name, shape), 'bfloat16');
      const { y } = await run(
        (graph) => ({ y: ops.matmul(narrow(graph, 'a', a), narrow(graph, 'b', b), transposes) }),
        feeds,
      );
      expectRounded(
        y!,
        expected(feeds.a.data as Float32Array, feeds.b.data as Float32Array, { m, k, n, ...transposes }),
      );
    }
  });

  it('multiplies matrix by matrix', async () => {
    const feeds = { a: float([3, 20, 34], 1), b: float([3, 34, 9], 2) };
    const { y } = await run((graph) => {
      const [a, b] = [ops.input(graph, 'a', [3, 20, 34]), ops.input(graph, 'b', [3, 34, 9])];
      return { y: ops.batchMatmul(ops.cast(a, 'bfloat16'), ops.cast(b, 'bfloat16')) };
    }, feeds);
    const sizes = { batch: 3, m: 20, k: 34, n: 9, transposeA: false, transposeB: false };
    expectRounded(y!, expected(feeds.a.data as Float32Array, feeds.b.data as Float32Array, sizes));
  });

  it.each([
    ['two numbers a word', 34],
    ['a number a word where rows have odd lengths', 33],
  ])('keeps weights with %s', async (_, width) => {
    const weights = numbers(70 * width, 3);
    const state = { name: 'w', shape: [70, width], dtype: 'bfloat16', initially: 'empty' } as const;
    const feeds = {
      x: float([20, width], 1),
      g: float([20, 70], 2),
      rows: { data: Int32Array.of(69, 0, 7), shape: [3] },
    };
    let stored: Float32Array | Int32Array | undefined;
    let bytes = 0;
    const { y, dx, rows } = await run(
      (graph) => {
        const w = ops.readState(graph, state);
        const narrow = (name: string, shape: readonly number[]): Value =>
          ops.cast(ops.input(graph, name, shape), 'bfloat16');
        const tokens = ops.input(graph, 'rows', [3], 'int32');
        return {
          y: ops.matmul(narrow('x', [20, width]), w, { transposeB: true }),
          dx: ops.matmul(narrow('g', [20, 70]), w),
          rows: ops.cast(ops.gather(w, tokens), 'float32'),
        };
      },
      feeds,
      async (session) => {
        const before = tf.memory().numBytes;
        await session.write('w', weights);
        bytes = tf.memory().numBytes - before;
        stored = await session.read('w');
      },
    );
    expect(stored).toEqual(rounded(weights));
    expect(bytes).toBe(70 * width * (width % 2 === 0 ? 2 : 4));
    const sizes = { m: 20, k: width, n: 70, transposeA: false, transposeB: true };
    expectRounded(y!, expected(feeds.x.data as Float32Array, weights, sizes));
    const back = { m: 20, k: 70, n: width, transposeA: false, transposeB: false };
    expectRounded(dx!, expected(feeds.g.data as Float32Array, weights, back));
    const row = (at: number): Float32Array => rounded(weights.subarray(at * width, (at + 1) * width));
    expect(rows).toEqual(Float32Array.from([69, 0, 7].flatMap((at) => [...row(at)])));
  });

  it('computes nothing that would read bfloat16 without rounding it', async () => {
    const write = (graph: Graph): Record<string, Value> => {
      const [rows, at] = [ops.input(graph, 'x', [2, 3]), ops.input(graph, 'at', [2], 'int32')];
      return { y: ops.segmentSum(ops.cast(rows, 'bfloat16'), at, 2) };
    };
    const feeds = { x: float([2, 3], 1), at: { data: Int32Array.of(0, 1), shape: [2] } };
    await expect(run(write, feeds)).rejects.toThrow(/segmentSum of test: .*does not round its bfloat16 inputs/);
  });

  it('rounds to the nearest, ties to even, and leaves what is not finite', async () => {
    const words = Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0xbf807fff, 0x7f800000, 0xff800000, 0x7fffffff, 1);
    const x = new Float32Array(words.buffer);
    const { y } = await run(
      (graph) => {
        const narrow = ops.cast(ops.input(graph, 'x', [8]), 'bfloat16');
        return { y: ops.cast(narrow, 'float32') };
      },
      { x: { data: x, shape: [8] } },
    );
    expect(y).toEqual(rounded(x));
  });
});
