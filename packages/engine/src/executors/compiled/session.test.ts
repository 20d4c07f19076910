import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { native } from '../../../test/native-test.js';
import { numbers, PRIMITIVE_CASES, programOf, sizeOf } from '../../../test/primitive-cases.js';
import { outputsOf, program } from '../../../test/run-program.js';
import {
  addNode,
  createGraph,
  type Graph,
  operations as ops,
  type Program,
  type StateDeclaration,
  type Value,
} from '../../program/index.js';
import { collectGarbage } from '../collect-garbage.js';
import { openEagerSession } from '../eager/session.js';
import type { FedTensor } from '../session.js';
import { openCompiledSession } from './session.js';

const row = (...values: number[]): FedTensor => ({ data: Float32Array.from(values), shape: [values.length] });

const EXECUTORS = { compiled: {}, xla: { forXla: true } } as const;

describe.each(Object.entries(EXECUTORS))('the executor %s', (_, how) => {
  native('computes what the eager one computes, primitive by primitive, and the same bits each time', async () => {
    const programs = Object.fromEntries(PRIMITIVE_CASES.map((item) => [item.name, programOf(item).program]));
    const [compiled, eager] = [openCompiledSession(programs, how), openEagerSession(programs)];
    for (const { name, shapes, isPositive } of PRIMITIVE_CASES) {
      const inputs = Object.fromEntries(
        shapes.map((shape, index) => {
          const data = numbers(sizeOf(shape), index + 1).map((x) => (isPositive ? 1 + 0.5 * x : x));
          return [`x${index}`, { data, shape: shape as number[] }];
        }),
      );
      const [got, expected] = [await outputsOf(compiled, name, inputs), await outputsOf(eager, name, inputs)];
      for (const [key, values] of Object.entries(expected)) {
        for (const [index, value] of values.entries()) {
          // Fusing and reordering move the last bits, and so do XLA's own approximations.
          expect(Math.abs(got[key]![index]! - value), `${key} of ${name}`).toBeLessThan(
            1e-6 * Math.max(1, Math.abs(value)),
          );
        }
      }
      expect(await outputsOf(compiled, name, inputs), name).toEqual(got);
    }
    compiled.dispose();
    eager.dispose();
  });

  native('binds unknown dimensions at each run', async () => {
    const outer = {
      outer: program((graph) => {
        const x = ops.input(graph, 'x', ['n']);
        const product = ops.matmul(ops.reshape(x, ['n', 1]), ops.reshape(x, [1, 'n']));
        return { flat: ops.reshape(product, ['n*n']) };
      }),
    };
    const session = openCompiledSession(outer, how);
    expect(await outputsOf(session, 'outer', { x: row(1, 2) })).toEqual({ flat: [1, 2, 2, 4] });
    expect(await outputsOf(session, 'outer', { x: row(3) })).toEqual({ flat: [9] });
    session.dispose();
  });

  for (const usesGpu of [false, true]) {
    native(`keeps states between runs and programs${usesGpu ? ', chosen as on a GPU' : ''}`, () =>
      keepsStates(usesGpu),
    );
  }

  async function keepsStates(usesGpu: boolean): Promise<void> {
    const total = { name: 'total, with "any" name', shape: [2], dtype: 'float32', initially: 'zeros' } as const;
    const table = { name: 'table', shape: [3, 1], dtype: 'float32', initially: 'zeros' } as const;
    const session = openCompiledSession(
      {
        add: program((graph) => {
          ops.addToState(graph, total, ops.input(graph, 'x', [2]));
          return {};
        }),
        double: program((graph) => {
          ops.assignState(graph, total, ops.multiply(ops.readState(graph, total), 2));
          return {};
        }),
        clear: program((graph) => {
          ops.clearState(graph, total);
          return {};
        }),
        rows: program((graph) => {
          const indices = ops.constant(graph, Int32Array.of(2, 0, 2), [3]);
          ops.addRowsToState(graph, table, ops.input(graph, 'rows', [3, 1]), indices);
          return {};
        }),
      },
      { ...how, usesGpu },
    );
    expect(Array.from(await session.read(total.name))).toEqual([0, 0]);
    await outputsOf(session, 'add', { x: row(1, 2) });
    await outputsOf(session, 'add', { x: row(1, 2) });
    await outputsOf(session, 'double');
    expect(Array.from(await session.read(total.name))).toEqual([4, 8]);
    await session.write(total.name, Float32Array.of(5, 6));
    await outputsOf(session, 'add', { x: row(1, 1) });
    expect(Array.from(await session.read(total.name))).toEqual([6, 7]);
    await outputsOf(session, 'clear');
    expect(Array.from(await session.read(total.name))).toEqual([0, 0]);
    for (let time = 0; time < 2; time++) {
      await outputsOf(session, 'rows', { rows: { data: Float32Array.of(1, 2, 3), shape: [3, 1] } });
    }
    expect(Array.from(await session.read('table'))).toEqual([4, 0, 8]);
    session.dispose();
  }

  native('writes and moves rows of a state in its memory, like the eager one', async () => {
    const table = { name: 'table', shape: [6, 2], dtype: 'float32', initially: 'zeros' } as const;
    const indices = (graph: Graph, name: string): Value => ops.input(graph, name, ['n'], 'int32');
    const programs = {
      replace: program((graph) => {
        ops.replaceRowsOfState(graph, table, ops.input(graph, 'rows', ['n', 2]), indices(graph, 'at'));
        // Read after it was written, and in parts: what lies behind them is left out.
        ops.input(graph, 'sizes', [0, 'first', 'second'], 'int32');
        const [, second] = ops.split(ops.readState(graph, table), ['first', 'second'], 0, { dropsRest: true });
        return { doubled: ops.multiply(second!, 2) };
      }),
      move: program((graph) => {
        ops.moveRowsOfState(graph, table, 4, indices(graph, 'from'), indices(graph, 'to'));
        return {};
      }),
    };
    const int = (...data: number[]) => ({ data: Int32Array.from(data), shape: [data.length] });
    for (const session of [openCompiledSession(programs, how), openEagerSession(programs)]) {
      const rows = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] };
      const sizes = { data: new Int32Array(0), shape: [0, 1, 2] };
      expect(await outputsOf(session, 'replace', { rows, at: int(4, 1), sizes })).toEqual({ doubled: [6, 8, 0, 0] });
      // Rows of four numbers: the first and the third change places.
      await outputsOf(session, 'move', { from: int(0, 2), to: int(2, 0) });
      expect(Array.from(await session.read('table'))).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4]);
      session.dispose();
    }
  });

  native('gives each state that begins as zeros memory of its own', async () => {
    const states = ['a', 'b', 'c'].map(
      (name) => ({ name, shape: [2, 1], dtype: 'float32', initially: 'zeros' }) as const,
    );
    const write = {
      write: program((graph) => {
        const [rows, at] = [ops.input(graph, 'rows', [1, 1]), ops.input(graph, 'at', [1], 'int32')];
        ops.replaceRowsOfState(graph, states[0]!, rows, at);
        return Object.fromEntries(states.slice(1).map((state) => [state.name, ops.readState(graph, state)]));
      }),
    };
    const session = openCompiledSession(write, how);
    const at = { data: Int32Array.of(1), shape: [1] };
    const rows = { data: Float32Array.of(7), shape: [1, 1] };
    expect(await outputsOf(session, 'write', { rows, at })).toEqual({ b: [0, 0], c: [0, 0] });
    const contents = await Promise.all(states.map(async ({ name }) => [...(await session.read(name))]));
    expect(contents).toEqual([
      [0, 7],
      [0, 0],
      [0, 0],
    ]);
    session.dispose();
  });

  it('refuses to write rows of a state into memory that was read', () => {
    const table = { name: 'table', shape: [2, 1], dtype: 'float32', initially: 'zeros' } as const;
    const graph = createGraph('late');
    const all = ops.readState(graph, table);
    const indices = ops.constant(graph, Int32Array.of(0, 1), [2]);
    expect(() => ops.replaceRowsOfState(graph, table, all, indices)).toThrow('after it was read');
  });

  native('hands a kept value of unknown size from one program to the next', async () => {
    const kept = { name: 'kept', shape: ['n'], dtype: 'float32', initially: 'empty' } as const;
    const handOver = {
      keep: program((graph) => {
        ops.assignState(graph, kept, ops.square(ops.input(graph, 'x', ['n'])));
        return {};
      }),
      use: program((graph) => {
        ops.declareState(graph, kept);
        const [taken] = addNode(graph, 'takeState', { state: 'kept' }, [], [{ shape: ['n'], dtype: 'float32' }]);
        return { y: ops.multiply(taken!, ops.input(graph, 'x', ['n'])) };
      }),
    };
    const session = openCompiledSession(handOver, how);
    await outputsOf(session, 'keep', { x: row(2, 3) });
    expect(await outputsOf(session, 'use', { x: row(1, 2) })).toEqual({ y: [4, 18] });
    await expect(session.run('use', { x: row(1, 2) })).rejects.toThrow('before it was written');
    session.dispose();
  });

  const decays = [0.1, 0];
  for (const weightDecay of decays)
    native(`updates with AdamW like the eager one, decay ${weightDecay}`, async () => {
      const state = (name: string) => ({ name, shape: [3], dtype: 'float32', initially: 'zeros' }) as const;
      const update = program((graph) => {
        ops.updateAdamW(graph, {
          parameter: { ...state('w'), initially: 'empty' },
          gradient: state('g'),
          firstMoment: state('m'),
          secondMoment: state('v'),
          learningRate: ops.input(graph, 'rate', []),
          gradientScale: ops.input(graph, 'scale', []),
          correction1: ops.input(graph, 'c1', []),
          correction2: ops.input(graph, 'c2', []),
          beta1: 0.9,
          beta2: 0.95,
          epsilon: 1e-8,
          weightDecay,
        });
        return {};
      });
      const [compiled, eager] = [openCompiledSession({ update }, how), openEagerSession({ update })];
      const scalar = (value: number): FedTensor => ({ data: Float32Array.of(value), shape: [] });
      for (const session of [compiled, eager]) {
        await session.write('w', Float32Array.of(1, -2, 3));
        for (let step = 1; step <= 3; step++) {
          await session.write('g', Float32Array.of(0.5, -4, 1e-4 * step));
          const corrections = { c1: scalar(1 - 0.9 ** step), c2: scalar(1 - 0.95 ** step) };
          await outputsOf(session, 'update', { rate: scalar(0.01), scale: scalar(0.7), ...corrections });
        }
      }
      for (const name of ['w', 'm', 'v']) {
        const [got, expected] = [await compiled.read(name), await eager.read(name)];
        for (const [index, value] of expected.entries()) {
          expect(Math.abs(got[index]! - value), name).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
        }
      }
      compiled.dispose();
      eager.dispose();
    });

  native('multiplies in bfloat16 where the program says so', async () => {
    const product = (dtype: 'float32' | 'bfloat16'): Program =>
      program((graph) => {
        const factor = (name: string) => ops.cast(ops.input(graph, name, [32, 32]), dtype);
        return { y: ops.matmul(factor('a'), factor('b')) };
      });
    const session = openCompiledSession({ narrow: product('bfloat16'), wide: product('float32') }, how);
    const inputs = {
      a: { data: numbers(1024, 1), shape: [32, 32] },
      b: { data: numbers(1024, 2), shape: [32, 32] },
    };
    const [narrow, wide] = [await outputsOf(session, 'narrow', inputs), await outputsOf(session, 'wide', inputs)];
    const errors = narrow.y!.map((value, index) => Math.abs(value - wide.y![index]!));
    // bfloat16 keeps 8 bits: 2^-9 relative a factor, sums of 32 products below 1.
    expect(Math.max(...errors)).toBeLessThan(0.06);
    expect(Math.max(...errors)).toBeGreaterThan(1e-4);
    session.dispose();
  });

  native('can be opened and disposed again and again', async () => {
    // 16 MiB: twenty lost sessions would take 320.
    const state: StateDeclaration = { name: 'large', shape: [2 ** 22], dtype: 'float32', initially: 'zeros' };
    const declared = {
      sum: program((graph) => ({ total: ops.sumOfSquares(ops.readState(graph, state)) })),
    };
    const once = async (): Promise<void> => {
      const session = openCompiledSession(declared, how);
      await session.write('large', new Float32Array(2 ** 22).fill(1));
      expect(await outputsOf(session, 'sum')).toEqual({ total: [2 ** 22] });
      session.dispose();
    };
    const tensors = tf.memory().numTensors;
    for (let time = 0; time < 5; time++) await once();
    collectGarbage();
    const before = process.memoryUsage().rss;
    for (let time = 0; time < 20; time++) await once();
    collectGarbage();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * 2 ** 20);
  });
});

describe('a session of the native backend', () => {
  native('names the program and the node of a failure', async () => {
    const session = openCompiledSession({
      look: program((graph) => {
        const table = ops.input(graph, 'table', ['rows', 2]);
        return { found: ops.gather(table, ops.input(graph, 'indices', ['n'], 'int32')) };
      }),
    });
    const inputs = {
      table: { data: Float32Array.of(1, 2), shape: [1, 2] },
      indices: { data: Int32Array.of(7), shape: [1] },
    };
    await expect(session.run('look', inputs)).rejects.toThrow(/look, node gather_\d+: the program failed.*7/);
    await expect(session.run('nothing', {})).rejects.toThrow('no such program');
    await expect(session.run('look', { table: inputs.table })).rejects.toThrow('input indices is missing');
    session.dispose();
  });
});
