import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { missingBackend } from '../../../../test/missing-backend.js';
import { numbers, PRIMITIVE_CASES, programOf, sizeOf } from '../../../../test/primitive-cases.js';
import { outputsOf, program } from '../../../../test/run-program.js';
import { type Graph, operations as ops, type Value } from '../../../program/index.js';
import type { FedTensor, ProgramSet, Session } from '../../session.js';
import { openEagerSession } from '../session.js';
import { fuseProgram } from './fuse-program.js';

type Arrays = Readonly<Record<string, number[]>>;

const missing = await missingBackend('webgpu');
if (missing !== undefined) console.log(`skipped: the shaders for WebGPU are not tested here: ${missing}`);

/** What a use of a session gives on plain JavaScript and on WebGPU, which leaves no tensor behind. */
async function onBoth<Result>(
  programs: ProgramSet,
  use: (session: Session) => Promise<Result>,
): Promise<{ readonly plain: Result; readonly gpu: Result }> {
  const results: Result[] = [];
  for (const backend of ['cpu', 'webgpu']) {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const session = openEagerSession(programs);
    results.push(await use(session));
    session.dispose();
    expect(tf.memory().numTensors, `tensors left behind on ${backend}`).toBe(before);
  }
  return { plain: results[0]!, gpu: results[1]! };
}

/** Sums in another order, and exponentials of the GPU's own. */
function expectClose(gpu: Arrays, plain: Arrays, tolerance = 2e-6): void {
  expect(Object.keys(gpu)).toEqual(Object.keys(plain));
  for (const [name, expected] of Object.entries(plain)) {
    expect(gpu[name]!.length).toBe(expected.length);
    for (const [index, value] of expected.entries()) {
      const difference = Math.abs(gpu[name]![index]! - value);
      expect(difference, `${name}[${index}]`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
    }
  }
}

const float = (shape: readonly number[], seed: number): FedTensor => ({ data: numbers(sizeOf(shape), seed), shape });

/** What a model is made of, written in primitives: more rows than 64 and widths that 64 does not divide. */
const PATTERNS: Readonly<
  Record<string, (graph: Graph) => { readonly outputs: Record<string, Value>; readonly steps: number }>
> = {
  'root-mean-square norm of a sum': (graph) => {
    const [x, y] = [ops.input(graph, 'x', ['n', 100]), ops.input(graph, 'y', ['n', 100])];
    const sum = ops.add(x, y);
    const inverse = ops.reciprocalSquareRoot(ops.add(ops.meanOfRows(ops.square(sum)), 1e-6));
    const normed = ops.multiply(ops.multiply(sum, inverse), ops.input(graph, 'weight', [100]));
    return { outputs: { sum, normed }, steps: 2 };
  },
  'the backward pass of a norm': (graph) => {
    const [x, g] = [ops.input(graph, 'x', ['n', 100]), ops.input(graph, 'y', ['n', 100])];
    const inverse = ops.reciprocalSquareRoot(ops.add(ops.meanOfRows(ops.square(x)), 1e-6));
    const h = ops.multiply(g, ops.input(graph, 'weight', [100]));
    const shrink = ops.multiply(ops.square(inverse), ops.meanOfRows(ops.multiply(h, x)));
    const dx = ops.multiply(ops.subtract(h, ops.multiply(x, shrink)), inverse);
    return { outputs: { dx, dw: ops.sum(ops.multiply(ops.multiply(g, x), inverse), [0]) }, steps: 3 };
  },
  'gate times up': (graph) => {
    const [gate, up] = [ops.input(graph, 'x', ['n', 100]), ops.input(graph, 'y', ['n', 100])];
    return { outputs: { y: ops.multiply(ops.multiply(gate, ops.sigmoid(gate)), up) }, steps: 1 };
  },
  'a rotation of halves of heads': (graph) => {
    const rows = ops.reshape(ops.input(graph, 'x', ['n', 100]), ['2*n', 50]);
    const [a, b, rest] = ops.split(rows, [20, 20, 10], 1) as [Value, Value, Value];
    const table = (name: string): Value => ops.reshape(ops.input(graph, name, ['n', 40]), ['2*n', 20]);
    const [cosines, sines] = [table('cosines'), table('sines')];
    const first = ops.subtract(ops.multiply(a, cosines), ops.multiply(b, sines));
    const second = ops.add(ops.multiply(b, cosines), ops.multiply(a, sines));
    return { outputs: { y: ops.concat([first, second, rest], 1) }, steps: 1 };
  },
  'softmax of masked scores': (graph) => {
    const scores = ops.reshape(ops.input(graph, 'x', ['n', 100]), [2, '50*n']);
    const position = ops.reshape(ops.input(graph, 'cosines', ['n', 40]), ['40*n']);
    const isSeen = ops.lessEqual(position, ops.scalar(graph, 0.1));
    const hidden = ops.multiply(ops.subtract(1, ops.cast(isSeen, 'float32')), -1e9);
    const [mask] = ops.split(hidden, ['n', '39*n'], 0) as [Value, Value];
    const repeated = ops.broadcastTo(ops.reshape(mask, [1, 'n', 1]), [2, 'n', 50]);
    const masked = ops.add(ops.reshape(scores, [2, 'n', 50]), repeated);
    return { outputs: { y: ops.softmax(ops.reshape(masked, ['2*n', 50])) }, steps: 1 };
  },
  'sums of rows and columns': (graph) => {
    const x = ops.input(graph, 'x', ['n', 100]);
    const product = ops.multiply(x, ops.input(graph, 'y', ['n', 100]));
    return { outputs: { rows: ops.sum(product, [1]), columns: ops.sum(ops.square(x), [0]) }, steps: 2 };
  },
};

describe.skipIf(missing !== undefined)('the eager executor on WebGPU', { timeout: 60_000 }, () => {
  it('computes what plain JavaScript computes, primitive by primitive, and the same bits each time', async () => {
    const programs = Object.fromEntries(PRIMITIVE_CASES.map((item) => [item.name, programOf(item).program]));
    const all = async (session: Session): Promise<Arrays> => {
      const results: Record<string, number[]> = {};
      for (const { name, shapes, isPositive } of PRIMITIVE_CASES) {
        const inputs = Object.fromEntries(
          shapes.map((shape, index) => {
            const data = numbers(sizeOf(shape), index + 1).map((x) => (isPositive ? 1 + 0.5 * x : x));
            return [`x${index}`, { data, shape: shape as number[] }];
          }),
        );
        const outputs = await outputsOf(session, name, inputs);
        expect(await outputsOf(session, name, inputs), name).toEqual(outputs);
        for (const [key, values] of Object.entries(outputs)) results[`${key} of ${name}`] = values;
      }
      return results;
    };
    const { plain, gpu } = await onBoth(programs, all);
    expectClose(gpu, plain);
  });

  it.each(Object.entries(PATTERNS))('makes few shaders of %s, with the same result', async (_, write) => {
    let steps = 0;
    const written = program((graph) => {
      const pattern = write(graph);
      steps = pattern.steps;
      return pattern.outputs;
    });
    const kinds = fuseProgram(written).map(({ operation }) => operation);
    expect(kinds.filter((kind) => kind !== 'input')).toEqual(new Array(steps).fill('fused'));
    const inputs = {
      ...{ x: float([70, 100], 1), y: float([70, 100], 2), weight: float([100], 3) },
      ...{ cosines: float([70, 40], 4), sines: float([70, 40], 5) },
    };
    const { plain, gpu } = await onBoth({ written }, (session) => outputsOf(session, 'written', inputs));
    expectClose(gpu, plain, 1e-5);
  });

  it('gives more values than a shader may read a shader in between', async () => {
    const written = program((graph) => {
      const terms = Array.from({ length: 20 }, (_, at) => ops.input(graph, `x${at}`, ['n']));
      return { y: terms.reduce((sum, x) => ops.add(ops.sigmoid(sum), x)) };
    });
    const inputs = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`x${at}`, float([5], at)]));
    const { plain, gpu } = await onBoth({ written }, (session) => outputsOf(session, 'written', inputs));
    expectClose(gpu, plain, 1e-5);
    expect(fuseProgram(written).filter(({ operation }) => operation === 'fused').length).toBeLessThan(6);
  });

  it('changes states in place, and what was read of them before stays', async () => {
    const state = (name: string) => ({ name, shape: [6, 2], dtype: 'float32', initially: 'zeros' }) as const;
    const int = (...data: number[]) => ({ data: Int32Array.from(data), shape: [data.length] });
    const programs = {
      change: program((graph) => {
        const before = ops.readState(graph, state('sum'));
        const [rows, at] = [ops.input(graph, 'rows', ['n', 2]), ops.input(graph, 'at', ['n'], 'int32')];
        ops.addRowsToState(graph, state('sum'), rows, at);
        ops.addToState(graph, state('sum'), ops.multiply(before, 2));
        ops.replaceRowsOfState(graph, state('table'), rows, at);
        return { before: ops.add(before, 0) };
      }),
      move: program((graph) => {
        const [from, to] = ['from', 'to'].map((name) => ops.input(graph, name, ['n'], 'int32'));
        ops.moveRowsOfState(graph, state('table'), 4, from!, to!);
        return {};
      }),
    };
    const { plain, gpu } = await onBoth(programs, async (session) => {
      const rows = float([3, 2], 7);
      const results: Record<string, number[]> = {};
      for (const turn of [1, 2, 3]) {
        const { before } = await outputsOf(session, 'change', { rows, at: int(4, turn, turn === 3 ? 4 : 0) });
        results[`before ${turn}`] = before!;
        await session.read('sum');
        await outputsOf(session, 'move', { from: int(0, 2), to: int(2, 0) });
        for (const name of ['sum', 'table']) results[`${name} ${turn}`] = Array.from(await session.read(name));
      }
      return results;
    });
    expectClose(gpu, plain);
  });

  it('updates with AdamW in place', async () => {
    const state = (name: string) => ({ name, shape: [3], dtype: 'float32', initially: 'zeros' }) as const;
    const scalar = (value: number): FedTensor => ({ data: Float32Array.of(value), shape: [] });
    const update = program((graph) => {
      const [learningRate, gradientScale, correction1, correction2] = ['rate', 'scale', 'c1', 'c2'].map((name) =>
        ops.input(graph, name, []),
      ) as [Value, Value, Value, Value];
      ops.updateAdamW(graph, {
        ...{ parameter: { ...state('w'), initially: 'empty' as const }, gradient: state('g') },
        ...{ firstMoment: state('m'), secondMoment: state('v') },
        ...{ learningRate, gradientScale, correction1, correction2 },
        ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 },
      });
      return {};
    });
    const { plain, gpu } = await onBoth({ update }, async (session) => {
      await session.write('w', Float32Array.of(1, -2, 3));
      for (let step = 1; step <= 3; step++) {
        await session.write('g', Float32Array.of(0.5, -4, 1e-4 * step));
        const corrections = { c1: scalar(1 - 0.9 ** step), c2: scalar(1 - 0.95 ** step) };
        await outputsOf(session, 'update', { rate: scalar(0.01), scale: scalar(0.7), ...corrections });
      }
      const names = ['w', 'm', 'v', 'g'];
      return Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, Array.from(await session.read(name))] as const)),
      );
    });
    expectClose(gpu, plain);
  });

  it('gives the cross-entropy of rows that differ much, and its gradient', async () => {
    const entropy = program((graph) => {
      return ops.crossEntropy(ops.input(graph, 'x', ['n', 300]), ops.input(graph, 't', ['n'], 'int32'));
    });
    const x = {
      data: numbers(900, 3).map((value, at) => value * [1, 80, 1e-3][Math.floor(at / 300)]!),
      shape: [3, 300],
    };
    const t = { data: Int32Array.of(0, 299, 64), shape: [3] };
    const { plain, gpu } = await onBoth({ entropy }, (session) => outputsOf(session, 'entropy', { x, t }));
    expectClose(gpu, plain, 1e-5);
  });

  it('says which tensor is too large, how large it is and what the adapter allows', async () => {
    await tf.setBackend('webgpu');
    const { limits } = (tf.backend() as unknown as { device: { limits: Record<string, number> } }).device;
    const most = Math.min(limits.maxBufferSize!, limits.maxStorageBufferBindingSize!);
    const large = program((graph) => {
      const table = ops.readState(graph, { name: 'embedding', shape: [1], dtype: 'float32', initially: 'zeros' });
      return { y: ops.broadcastTo(table, [Math.floor(most / 4) + 1]) };
    });
    const before = tf.memory().numTensors;
    const session = openEagerSession({ large });
    await expect(session.run('large', {})).rejects.toThrow(
      new RegExp(`broadcastTo.*embedding.*at most ${most} bytes.*got ${4 * Math.floor(most / 4) + 4} bytes`),
    );
    session.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
