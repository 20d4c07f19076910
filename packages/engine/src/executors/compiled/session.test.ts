import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { selectBackend } from '../../backends/index.js';
import { createGraph, finishProgram, operations as ops } from '../../program/index.js';
import { openCompiledSession } from './session.js';

beforeAll(async () => {
  await selectBackend({ prefer: 'tensorflow' });
});
it('x', async () => {
  const g = createGraph('t');
  const w = { name: 'w/a b', shape: [2, 3], dtype: 'float32', initially: 'empty' } as const;
  const acc = { name: 'acc', shape: [2, 3], dtype: 'float32', initially: 'zeros' } as const;
  const x = ops.input(g, 'x', ['n', 2]);
  const y = ops.matmul(x, ops.readState(g, w));
  ops.addToState(g, acc, ops.matmul(x, y, { transposeA: true }));
  const s = openCompiledSession({ t: finishProgram(g, { y, z: ops.reshape(y, ['3*n']) }) });
  await expect(s.run('t', { x: { data: Float32Array.of(1, 2), shape: [1, 2] } })).rejects.toThrow(
    /before it was written/,
  );
  await s.write('w/a b', Float32Array.of(1, 2, 3, 4, 5, 6));
  console.log(await s.read('acc'), await s.read('w/a b'));
  for (let i = 0; i < 2; i++) {
    const r = await s.run('t', { x: { data: Float32Array.of(1, 2), shape: [1, 2] } });
    console.log(r.y!.dataSync(), r.z!.shape, await s.read('acc'));
    tf.dispose(r);
  }
  s.dispose();
  console.log(tf.memory().numTensors);
});
