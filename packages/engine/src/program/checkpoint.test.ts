import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openEagerSession } from '../executors/eager/session.js';
import { type CheckpointPolicy, splitAtCheckpoint } from './checkpoint.js';
import { accumulateGradient, differentiate } from './differentiate.js';
import * as ops from './operations.js';
import { inScope } from './placement.js';
import { createGraph, keep, type StateDeclaration } from './program.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const state = (name: string, shape: readonly number[]): StateDeclaration => ({
  name,
  shape,
  dtype: 'float32',
  initially: 'zeros',
});
const TABLE = state('table', [5, 3]);
const WEIGHTS = [state('w0', [3, 3]), state('w1', [3, 3])];
const gradientOf = (declaration: StateDeclaration): StateDeclaration =>
  state(`${declaration.name}.gradient`, declaration.shape as number[]);

/** A lookup and two residual blocks; rows are of unknown number. */
function programs(policy: CheckpointPolicy) {
  const graph = createGraph('net');
  const ids = ops.input(graph, 'ids', ['rows'], 'int32');
  const table = ops.readState(graph, TABLE);
  let x = keep(ops.gather(table, ids), 'block');
  for (const [index, weight] of WEIGHTS.entries()) {
    inScope(graph, `block/${index}`, () => {
      const product = keep(ops.matmul(ops.softplus(x), ops.readState(graph, weight)), 'matmul');
      x = keep(ops.add(x, ops.hyperbolicTangent(product)), 'block');
    });
  }
  const losses = ops.sum(ops.square(x), [1]);
  const forwardNodes = graph.nodes.length;
  const cotangent = ops.input(graph, 'cotangent', ['rows']);
  const wanted = [TABLE, ...WEIGHTS];
  const gradients = differentiate(
    [{ value: losses, cotangent }],
    wanted.map((declaration) => ops.readState(graph, declaration)),
  );
  for (const declaration of wanted) {
    accumulateGradient(gradientOf(declaration), gradients.get(ops.readState(graph, declaration))!);
  }
  return splitAtCheckpoint({ graph, forwardNodes, forwardOutputs: { losses } }, policy);
}

async function step(policy: CheckpointPolicy) {
  const { forward, backward, stash } = programs(policy);
  const session = openEagerSession({ forward, backward });
  const ramp = (size: number): Float32Array => Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1));
  await session.write('table', ramp(15));
  await session.write('w0', ramp(9));
  await session.write(
    'w1',
    ramp(9).map((x) => -x),
  );
  const before = tf.memory().numTensors;
  const ids = { data: Int32Array.of(4, 1, 1, 0), shape: [4] };
  const { losses } = await session.run('forward', { ids });
  const kept = tf.memory().numTensors - before - 1;
  await session.run('backward', { ids, cotangent: { data: Float32Array.of(1, 2, 3, 4), shape: [4] } });
  losses!.dispose();
  const gradients = await Promise.all([TABLE, ...WEIGHTS].map(async (s) => session.read(gradientOf(s).name)));
  expect(tf.memory().numTensors).toBe(before + 3);
  session.dispose();
  expect(tf.memory().numTensors).toBe(before - 3);
  return { gradients, kept, stash: stash.length };
}

describe('splitting at a checkpoint', () => {
  it('gives the same gradients under every policy and keeps less and less', async () => {
    const all = await step('none');
    const matmul = await step('matmul-outputs');
    const block = await step('block-inputs');
    for (const other of [matmul, block]) {
      for (const [index, gradient] of other.gradients.entries()) {
        expect(Array.from(gradient)).toEqual(Array.from(all.gradients[index]!));
      }
    }
    expect([all.kept, matmul.kept, block.kept]).toEqual([all.stash, matmul.stash, block.stash]);
    expect(block.stash).toBeLessThan(matmul.stash);
    expect(matmul.stash).toBeLessThan(all.stash);
  });

  it('lets repeated work wait for the gradient before it', () => {
    const { backward } = programs('block-inputs');
    const taken = backward.nodes.filter((node) => node.operation === 'takeState');
    expect(taken.slice(1).every((node) => node.after !== undefined)).toBe(true);
  });
});
