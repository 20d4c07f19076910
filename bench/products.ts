// Times matrix products x W^T on the current adapter of WebGPU: TensorFlow.js' shader, and ours with weights in float32 and in
// bfloat16, by turns; the fastest of each.
//   pnpm bench products [--rows 512,64,16,4,1] [--inner 896] [--outer 4864] [--rounds 5]
import { parseArgs } from 'node:util';
import { createGraph, finishProgram, openSession, operations as ops, selectBackend } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '512,64,16,4,1' },
    inner: { type: 'string', default: '896' },
    outer: { type: 'string', default: '4864' },
    rounds: { type: 'string', default: '5' },
  },
});
const [inner, outer, rounds] = [Number(flags.inner), Number(flags.outer), Number(flags.rounds)];
const { reason, tf: tfjs } = await selectBackend({ prefer: 'webgpu' });
process.stdout.write(`${reason}\n`);

/** Numbers of any kind; both sides see the same. */
const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(at));

async function milliseconds(compute: () => Promise<tf.Tensor>): Promise<number> {
  const started = performance.now();
  const result = await compute();
  await result.data();
  result.dispose();
  return performance.now() - started;
}

/** Our product of rows with a weight that is kept in a type. */
async function ours(rows: tf.Tensor2D, dtype: 'float32' | 'bfloat16') {
  const graph = createGraph('product');
  const x = ops.cast(ops.input(graph, 'x', rows.shape), dtype);
  const weight = ops.readState(graph, { name: 'weight', shape: [outer, inner], dtype, initially: 'empty' });
  const y = ops.matmul(x, weight, { transposeB: true });
  const session = openSession({ product: finishProgram(graph, { y }) });
  await session.write('weight', numbers(outer * inner));
  return { run: async () => (await session.run('product', { x: rows })).y!, dispose: session.dispose };
}

process.stdout.write(
  '| rows | TensorFlow.js, ms | ours, ms | ratio | ours in bfloat16, ms | ratio |\n|---|---|---|---|---|---|\n',
);
for (const rows of flags.rows.split(',').map(Number)) {
  const x = tfjs.tensor2d(numbers(rows * inner), [rows, inner]);
  const weight = tfjs.tensor2d(numbers(outer * inner), [outer, inner]);
  const sides = [await ours(x, 'float32'), await ours(x, 'bfloat16')];
  const ways = [async () => tfjs.matMul(x, weight, false, true), ...sides.map(({ run }) => run)];
  const best = ways.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++) {
    for (const [at, way] of ways.entries()) {
      const taken = await milliseconds(way);
      // The first time shaders are compiled.
      if (round > 0) best[at] = Math.min(best[at]!, taken);
    }
  }
  const [peer, wide, narrow] = best as [number, number, number];
  const ms = (value: number): string => value.toFixed(1);
  const cells = [ms(peer), ms(wide), (peer / wide).toFixed(2), ms(narrow), (peer / narrow).toFixed(2)];
  process.stdout.write(`| ${[rows, ...cells].join(' | ')} |\n`);
  for (const side of sides) side.dispose();
  tfjs.dispose([x, weight]);
}
