import { differentiate } from '../src/program/differentiate.js';
import * as ops from '../src/program/operations.js';
import { createGraph, finishProgram, type Graph, type Program, type Value } from '../src/program/program.js';
import type { Shape } from '../src/program/shape.js';

/** A primitive (or a few) with the shapes of its inputs. */
export interface PrimitiveCase {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly write: (graph: Graph, inputs: readonly Value[]) => Value;
  /** Keeps inputs positive for roots and logarithms. */
  readonly isPositive?: boolean;
}

const integers = (graph: Graph, ...values: number[]): Value =>
  ops.constant(graph, Int32Array.from(values), [values.length]);

/** Every primitive that computes. */
export const PRIMITIVE_CASES: readonly PrimitiveCase[] = [
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
  { name: 'sumOfSquares', shapes: [[2, 3]], write: (_, [x]) => ops.sumOfSquares(x!) },
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
export function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return (state >>> 8) / 0x800000 - 1;
  });
}

export const sizeOf = (shape: Shape): number =>
  shape.reduce<number>((size, dimension) => size * (dimension as number), 1);

/** Fixed weights of a result's elements, which make a scalar of it. */
export const weightsOf = (result: Value): Float32Array => numbers(sizeOf(result.shape), 99);

/** A program with the case's `result` and `gradientK` of its weighted sum with respect to each input `xK`. */
export function programOf({ shapes, write }: PrimitiveCase): { readonly program: Program; readonly result: Value } {
  const graph = createGraph('case');
  const inputs = shapes.map((shape, index) => ops.input(graph, `x${index}`, shape));
  const result = write(graph, inputs);
  const cotangent = ops.constant(graph, weightsOf(result), result.shape as number[]);
  const gradients = differentiate([{ value: result, cotangent }], inputs);
  const outputs: Record<string, Value> = { result };
  for (const [index, value] of inputs.entries()) {
    outputs[`gradient${index}`] = gradients.get(value)!.reduce((sum, part) => ops.add(sum, part));
  }
  return { program: finishProgram(graph, outputs), result };
}
