import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingBackend } from '../../../test/missing-backend.js';
import {
  accumulateGradient,
  createGraph,
  differentiate,
  type ForwardAndBackward,
  inBlock,
  keep,
  operations as ops,
  type Program,
  splitAtCheckpoint,
} from '../../program/index.js';
import { openEagerSession } from '../eager/session.js';
import type { Session } from '../session.js';
import { countLaunches } from './count-launches.js';
import { planItems } from './plan-items.js';
import { planLaunches } from './plan-launches.js';
import { type CompiledSessionOptions, openCompiledSession } from './session.js';

let missing: string | undefined;

beforeAll(async () => {
  missing = await missingBackend('tensorflow');
});

const LAYERS = 4;
const weight = (layer: number) =>
  ({ name: `weight/${layer}`, shape: [2, 2], dtype: 'float32', initially: 'empty' }) as const;
const gradient = (layer: number) =>
  ({ name: `gradient/${layer}`, shape: [2, 2], dtype: 'float32', initially: 'zeros' }) as const;

/** x -> x + tanh(x W + 1/2), layer by layer, with the gradients of the weights. */
function stackOfLayers(): ForwardAndBackward {
  const graph = createGraph('stack');
  let x = ops.input(graph, 'x', ['rows', 2]);
  const half = ops.broadcastTo(ops.scalar(graph, 0.5), ['rows', 2]);
  for (let layer = 0; layer < LAYERS; layer++) {
    x = inBlock(graph, `layers/${layer}`, () => {
      const y = keep(ops.matmul(x, ops.readState(graph, weight(layer))), 'matmul');
      return keep(ops.add(x, ops.hyperbolicTangent(ops.add(y, half))), 'block');
    });
  }
  const forwardNodes = graph.nodes.length;
  const weights = Array.from({ length: LAYERS }, (_, layer) => ops.readState(graph, weight(layer)));
  const cotangent = ops.input(graph, 'cotangent', ['rows', 2]);
  const gradients = differentiate([{ value: x, cotangent }], weights);
  for (const [layer, value] of weights.entries()) accumulateGradient(gradient(layer), gradients.get(value)!);
  return splitAtCheckpoint({ graph, forwardNodes, forwardOutputs: { y: x } }, 'matmul-outputs');
}

const { forward, backward } = stackOfLayers();

function blocksOf(program: Program): readonly number[] {
  const counts = new Map<string, number>();
  for (const { form } of planItems(program, new Set())) {
    if (form !== undefined) counts.set(form.key, (counts.get(form.key) ?? 0) + 1);
  }
  return [...counts.values()];
}

async function historyOf(session: Session): Promise<readonly (readonly number[])[]> {
  for (let layer = 0; layer < LAYERS; layer++) {
    await session.write(weight(layer).name, Float32Array.of(0.1, layer, 0.5, -1));
  }
  const history: number[][] = [];
  for (const rows of [1, 3, 3]) {
    const fed = { data: Float32Array.from({ length: 2 * rows }, (_, at) => 0.1 * at), shape: [rows, 2] };
    const { y } = await session.run('forward', { x: fed });
    await session.run('backward', { x: fed, cotangent: fed });
    history.push(Array.from(y!.dataSync()));
    tf.dispose(y);
    for (let layer = 0; layer < LAYERS; layer++) history.push([...(await session.read(gradient(layer).name))]);
  }
  session.dispose();
  return history;
}

describe('blocks that are alike', () => {
  it('have one form; the first and the last differ in what they keep', () => {
    expect([blocksOf(forward), blocksOf(backward)]).toEqual([[LAYERS - 1], [LAYERS - 2]]);
  });

  const ways: Readonly<Record<string, CompiledSessionOptions>> = { operations: {}, XLA: { forXla: true } };
  for (const [way, options] of Object.entries(ways)) {
    it(`are called as one function of ${way}, which reads, keeps and changes the states of each`, async (context) => {
      if (missing !== undefined) return context.skip(missing);
      const programs = { forward, backward };
      const expected = await historyOf(openEagerSession(programs));
      const got = await historyOf(openCompiledSession(programs, options));
      // A product may sum in another order, and XLA has a hyperbolic tangent of its own.
      for (const [at, numbers] of expected.entries()) {
        expect(got[at]).toEqual(numbers.map((number) => expect.closeTo(number, 5)));
      }
    }, 60_000);
  }

  it('are a computation of XLA each, and what lies between them is one', () => {
    const launches = (program: Program) => planLaunches(program, new Set()).filter(({ form }) => form !== undefined);
    // The rows' one half is broadcast before the first layer.
    expect(launches(forward).map(({ nodes }) => nodes[0]!.block)).toEqual([
      undefined,
      ...Array.from({ length: LAYERS }, (_, layer) => `layers/${layer}`),
    ]);
    expect(launches(backward)).toHaveLength(LAYERS + 1);
    const programs = { forward, backward };
    expect(countLaunches(programs, 'xla')).toEqual({ forward: LAYERS + 1, backward: LAYERS + 1 });
    // A product, two additions, a tangent and two kept values each; what is broadcast is repeated by the addition itself.
    expect(countLaunches(programs, 'compiled').forward).toBeGreaterThanOrEqual(4 * LAYERS);
  });
});
