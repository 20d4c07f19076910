import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openEagerSession } from '../executors/eager/session.js';
import { differentiate } from './differentiate.js';
import * as ops from './operations.js';
import { createGraph, finishProgram, type Graph, type Value } from './program.js';
import type { Shape } from './shape.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

interface Case {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly write: (graph: Graph, inputs: readonly Value[]) => Value;
  /** Keeps inputs positive for roots and logarithms. */
  readonly isPositive?: boolean;
}

const integers = (graph: Graph, ...values: number[]): Value =>
  ops.constant(graph, Int32Array.from(values), [values.length]);

const CASES: readonly Case[] = [
  ...(['negate', 'exponential', 'square', 'sigmoid', 'hyperbolicTangent', 'softplus'] as const).map((name) => ({
    name,
    shapes: [[2, 3]],
    write: (_: Graph, [x]: readonly Value[]) => ops[name](x!),
  })),
  ...(['logarithm', 'squareRoot', 'reciprocalSquareRoot'] as const).map((name) => ({
    name,
    shapes: [[2, 3]],
    isPositive: true,
    write: (_: Graph, [x]: readonly Value[]) => ops[name](x!),
  })),
  ...(['add', 'subtract', 'multiply', 'divide'] as const).flatMap((name) =>
    [
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 3], [3]],
      [
        [2, 1, 3],
        [4, 1],
      ],
    ].map((shapes) => ({
      name: `${name} of [${shapes[0]}] and [${shapes[1]}]`,
      shapes,
      isPositive: true,
      write: (_: Graph, [a, b]: readonly Value[]) => ops[name](a!, b!),
    })),
  ),
  ...[false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) => [
      {
        name: `matmul ${transposeA} ${transposeB}`,
        shapes: [transposeA ? [3, 2] : [2, 3], transposeB ? [4, 3] : [3, 4]],
        write: (_: Graph, [a, b]: readonly Value[]) => ops.matmul(a!, b!, { transposeA, transposeB }),
      },
      {
        name: `batchMatmul ${transposeA} ${transposeB}`,
        shapes: [transposeA ? [2, 3, 2] : [2, 2, 3], transposeB ? [2, 4, 3] : [2, 3, 4]],
        write: (_: Graph, [a, b]: readonly Value[]) => ops.batchMatmul(a!, b!, { transposeA, transposeB }),
      },
    ]),
  ),
  { name: 'sum', shapes: [[2, 3, 4]], write: (_, [x]) => ops.sum(x!, [0, -1]) },
  { name: 'meanOfRows', shapes: [[2, 3]], write: (_, [x]) => ops.meanOfRows(x!) },
  { name: 'reshape', shapes: [[2, 6]], write: (_, [x]) => ops.reshape(x!, [3, 4]) },
  { name: 'broadcastTo', shapes: [[2, 1]], write: (_, [x]) => ops.broadcastTo(x!, [3, 2, 4]) },
  { name: 'transpose', shapes: [[2, 3, 4]], write: (_, [x]) => ops.transpose(x!, [2, 0, 1]) },
  {
    name: 'concat',
    shapes: [
      [2, 3],
      [2, 2],
    ],
    write: (_, [a, b]) => ops.concat([a!, b!], 1),
  },
  { name: 'split, one part unused', shapes: [[2, 5]], write: (_, [x]) => ops.split(x!, [2, 3], 1)[1]! },
  { name: 'gather', shapes: [[3, 2]], write: (graph, [x]) => ops.gather(x!, integers(graph, 2, 0, 2, 2)) },
  { name: 'segmentSum', shapes: [[3, 2]], write: (graph, [x]) => ops.segmentSum(x!, integers(graph, 3, 0, 3), 5) },
  { name: 'softmax', shapes: [[2, 4]], write: (_, [x]) => ops.softmax(x!) },
  {
    name: 'crossEntropy',
    shapes: [[3, 4]],
    write: (graph, [x]) => ops.crossEntropy(x!, integers(graph, 1, 0, 3)).losses,
  },
  {
    name: 'select',
    shapes: [
      [2, 2],
      [2, 2],
    ],
    write: (graph, [a, b]) =>
      ops.select(ops.less(ops.constant(graph, Float32Array.of(0, 1, 0, 1), [2, 2]), ops.scalar(graph, 0.5)), a!, b!),
  },
  {
    name: 'a region with its own rule',
    shapes: [[2, 3]],
    write: (_, [x]) =>
      ops.withGradient(
        [x!],
        () => [ops.exponential(ops.multiply(x!, 2))],
        ([g]) => [ops.multiply(ops.multiply(g!, 2), ops.exponential(ops.multiply(x!, 2)))],
      )[0]!,
  },
];

/** A fixed pseudo-random sequence in [-1, 1). */
function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return (state >>> 8) / 0x800000 - 1;
  });
}

const sizeOf = (shape: Shape): number => shape.reduce<number>((size, dimension) => size * (dimension as number), 1);

describe.each(CASES)('the gradient of $name', ({ shapes, write, isPositive }) => {
  it('agrees with central differences', async () => {
    const graph = createGraph('case');
    const inputs = shapes.map((shape, index) => ops.input(graph, `x${index}`, shape));
    const result = write(graph, inputs);
    const weights = numbers(sizeOf(result.shape), 99);
    const cotangent = ops.constant(graph, weights, result.shape as number[]);
    const gradients = differentiate([{ value: result, cotangent }], inputs);
    const outputs: Record<string, Value> = { result };
    for (const [index, value] of inputs.entries()) {
      outputs[`gradient${index}`] = gradients.get(value)!.reduce((sum, part) => ops.add(sum, part));
    }
    const session = openEagerSession({ case: finishProgram(graph, outputs) });
    const points = shapes.map((shape, index) => {
      const point = numbers(sizeOf(shape), index + 1);
      return isPositive ? point.map((x) => 1 + 0.5 * x) : point;
    });
    const feed = (changed: readonly Float32Array[]) =>
      Object.fromEntries(changed.map((data, index) => [`x${index}`, { data, shape: shapes[index] as number[] }]));
    const objective = async (changed: readonly Float32Array[]): Promise<number> => {
      const ran = await session.run('case', feed(changed));
      const value = (ran.result!.dataSync() as Float32Array).reduce((sum, x, at) => sum + x * weights[at]!, 0);
      tf.dispose(Object.values(ran));
      return value;
    };
    const analytic = await session.run('case', feed(points));
    const step = 1e-2; // error of the difference quotient: O(step^2) + float32 rounding / step, both about 1e-4
    for (const [index, point] of points.entries()) {
      const gradient = analytic[`gradient${index}`]!.dataSync();
      for (let at = 0; at < point.length; at++) {
        const moved = (by: number) =>
          points.map((p, i) => (i === index ? p.map((x, j) => (j === at ? x + by : x)) : p));
        const slope = ((await objective(moved(step))) - (await objective(moved(-step)))) / (2 * step);
        expect(Math.abs(gradient[at]! - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
      }
    }
    tf.dispose(Object.values(analytic));
  });
});
