import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { createGraph, finishProgram, operations as ops } from '../../program/index.js';
import { createProfile } from './profile.js';
import { openEagerSession } from './session.js';

it('counts the bytes of each element type, and the operations of products', async () => {
  await tf.setBackend('cpu');
  const graph = createGraph('example');
  const x = ops.input(graph, 'x', [2, 3]);
  const below = ops.less(x, ops.multiply(x, x));
  const products = ops.matmul(ops.select(below, x, x), x, { transposeB: true });
  const profile = createProfile();
  const session = openEagerSession({ example: finishProgram(graph, { products }) }, profile);
  tf.dispose(await session.run('example', { x: { data: new Float32Array(6), shape: [2, 3] } }));
  const costs = Object.fromEntries(profile.costs().map((cost) => [cost.primitive, cost]));
  expect(costs.less).toMatchObject({ runs: 1, bytes: 6 * (4 + 4 + 1), flops: 0 });
  expect(costs.select).toMatchObject({ bytes: 6 * (1 + 4 + 4 + 4) });
  expect(costs.matmul).toMatchObject({ bytes: 4 * (6 + 6 + 4), flops: 2 * 3 * 4 });
  session.dispose();
});
