import { MetaapoError } from '@metaapo/core/contracts';
import * as ops from './operations.js';
import type { Node, Value } from './program.js';
import { type Shape, sameShape } from './shape.js';

/** Cotangents of a node's inputs from those of its outputs; `undefined` where there is none. */
export type GradientRule = (node: Node, cotangents: readonly (Value | undefined)[]) => readonly (Value | undefined)[];

/** Sums a cotangent over the axes along which its value was repeated. */
function unbroadcast(cotangent: Value, shape: Shape): Value {
  if (sameShape(cotangent.shape, shape)) return cotangent;
  const offset = cotangent.shape.length - shape.length;
  const axes = cotangent.shape.flatMap((dimension, axis) =>
    axis < offset || (shape[axis - offset] === 1 && dimension !== 1) ? [axis] : [],
  );
  return ops.reshape(ops.sum(cotangent, axes), shape);
}

/** A rule for one output: `local` sees the cotangent, the inputs and the output. */
function rule(
  local: (cotangent: Value, inputs: readonly Value[], output: Value) => readonly (Value | undefined)[],
): GradientRule {
  return (node, [cotangent]) =>
    cotangent === undefined ? node.inputs.map(() => undefined) : local(cotangent, node.inputs, node.outputs[0]!);
}

/** A rule for elementwise operations of two values: repeated axes are summed. */
function elementwise(local: (cotangent: Value, a: Value, b: Value, output: Value) => [Value, Value]): GradientRule {
  return rule((cotangent, [a, b], output) => {
    const [left, right] = local(cotangent, a!, b!, output);
    return [unbroadcast(left, a!.shape), unbroadcast(right, b!.shape)];
  });
}

/** Cotangents of the factors of C = op(A) op(B), in the order in which A and B were given. */
function productRule(operation: 'matmul' | 'batchMatmul'): GradientRule {
  const multiply = ops[operation];
  return (node, [cotangent]) => {
    if (cotangent === undefined) return [undefined, undefined];
    const [a, b] = node.inputs as readonly [Value, Value];
    const { transposeA, transposeB } = node.attributes as { transposeA: boolean; transposeB: boolean };
    const g = ops.cast(cotangent, a.dtype);
    const da = transposeA
      ? multiply(b, g, { transposeA: transposeB, transposeB: true })
      : multiply(g, b, { transposeB: !transposeB });
    const db = transposeB
      ? multiply(g, a, { transposeA: true, transposeB: transposeA })
      : multiply(a, g, { transposeA: !transposeA });
    return [ops.cast(da, a.dtype), ops.cast(db, b.dtype)];
  };
}

/** One rule a differentiable primitive. */
const RULES: { readonly [Name in Node['operation']]?: GradientRule } = {
  negate: rule((g) => [ops.negate(g)]),
  exponential: rule((g, _, y) => [ops.multiply(g, y)]),
  logarithm: rule((g, [x]) => [ops.divide(g, x!)]),
  squareRoot: rule((g, _, y) => [ops.divide(ops.multiply(g, 0.5), y)]),
  reciprocalSquareRoot: rule((g, _, y) => [ops.multiply(ops.multiply(g, -0.5), ops.multiply(y, ops.square(y)))]),
  square: rule((g, [x]) => [ops.multiply(ops.multiply(g, 2), x!)]),
  sigmoid: rule((g, _, y) => [ops.multiply(g, ops.multiply(y, ops.subtract(1, y)))]),
  hyperbolicTangent: rule((g, _, y) => [ops.multiply(g, ops.subtract(1, ops.square(y)))]),
  softplus: rule((g, [x]) => [ops.multiply(g, ops.sigmoid(x!))]),
  add: elementwise((g) => [g, g]),
  subtract: elementwise((g) => [g, ops.negate(g)]),
  multiply: elementwise((g, a, b) => [ops.multiply(g, b), ops.multiply(g, a)]),
  divide: elementwise((g, _, b, y) => {
    const left = ops.divide(g, b);
    return [left, ops.negate(ops.multiply(left, y))];
  }),
  select: rule((g, [condition]) => {
    const zeros = ops.broadcastTo(ops.scalar(g.graph, 0), g.shape);
    return [undefined, ops.select(condition!, g, zeros), ops.select(condition!, zeros, g)];
  }),
  cast: rule((g, [x]) => [ops.cast(g, x!.dtype)]),
  matmul: productRule('matmul'),
  batchMatmul: productRule('batchMatmul'),
  sum: (node, [cotangent]) => {
    if (cotangent === undefined) return [undefined];
    const x = node.inputs[0]!;
    const { axes } = node.attributes as { axes: readonly number[] };
    const kept = x.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
    return [ops.broadcastTo(ops.reshape(cotangent, kept), x.shape)];
  },
  sumOfSquares: rule((g, [x]) => [ops.multiply(ops.multiply(x!, 2), g)]),
  reshape: rule((g, [x]) => [ops.reshape(g, x!.shape)]),
  broadcastTo: rule((g, [x]) => [unbroadcast(g, x!.shape)]),
  transpose: (node, [cotangent]) => {
    if (cotangent === undefined) return [undefined];
    const { permutation } = node.attributes as { permutation: readonly number[] };
    return [
      ops.transpose(
        cotangent,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },
  concat: (node, [cotangent]) => {
    if (cotangent === undefined) return node.inputs.map(() => undefined);
    const { axis } = node.attributes as { axis: number };
    return ops.split(
      cotangent,
      node.inputs.map((value) => value.shape[axis]!),
      axis,
    );
  },
  split: (node, cotangents) => {
    if (cotangents.every((cotangent) => cotangent === undefined)) return [undefined];
    const { axis, dropsRest } = node.attributes as { axis: number; dropsRest: boolean };
    if (dropsRest) throw new MetaapoError('internal', 'no gradient of what is left out', { where: 'split' });
    const graph = node.inputs[0]!.graph;
    const parts = cotangents.map(
      (cotangent, part) => cotangent ?? ops.broadcastTo(ops.scalar(graph, 0), node.outputs[part]!.shape),
    );
    return [ops.concat(parts, axis, node.inputs[0]!.shape[axis]!)];
  },
  gather: rule((g, [x, indices]) => [ops.segmentSum(g, indices!, x!.shape[0]!), undefined]),
  segmentSum: rule((g, [, indices]) => [ops.gather(g, indices!), undefined]),
  softmax: rule((g, _, y) => {
    const product = ops.multiply(g, y);
    return [ops.subtract(product, ops.multiply(y, ops.sum(product, [-1], { keepDimensions: true })))];
  }),
  crossEntropy: (node, [cotangent]) => {
    if (cotangent === undefined) return [undefined, undefined];
    const column = ops.reshape(cotangent, [cotangent.shape[0]!, 1]);
    return [ops.multiply(node.outputs[1]!, column), undefined];
  },
};

/**
 * The gradient rule of a node.
 * @throws MetaapoError with code `internal` when the operation has none.
 */
export function gradientRuleOf(node: Node): GradientRule {
  const found = RULES[node.operation];
  if (found === undefined) {
    throw new MetaapoError('internal', `${node.operation} has no gradient`, {
      where: node.scope || 'a tensor program',
    });
  }
  return found;
}
