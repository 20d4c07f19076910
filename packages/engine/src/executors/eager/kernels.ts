import * as tf from '@tensorflow/tfjs';
import type { Node, Program } from '../../program/index.js';
import { NATIVE_KERNELS } from './native-kernels.js';
import type { Step } from './plan.js';
import { portableStateKernels, type StateKernels } from './state-kernels.js';
import { createFedIndices } from './webgpu/fed-indices.js';
import { fuseProgram } from './webgpu/fuse-program.js';
import { webgpuKernels, webgpuStateKernels } from './webgpu/kernels.js';

/** Sizes that a run gave to what a kernel computes. */
export interface KernelSizes {
  readonly outputShapes: readonly (readonly number[])[];
}

/** Computes a node's outputs from its inputs (borrowed); the outputs belong to the caller. */
export type Kernel = (inputs: readonly tf.Tensor[], node: Node, sizes: KernelSizes) => readonly tf.Tensor[];

type AttributesOf<Name extends Node['operation']> = Extract<Node, { operation: Name }>['attributes'];

const unary =
  (compute: (x: tf.Tensor) => tf.Tensor): Kernel =>
  ([x]) => [compute(x!)];
const binary =
  (compute: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Kernel =>
  ([a, b]) => [compute(a!, b!)];

/** Kernels out of TensorFlow.js operations that every backend has. */
const PORTABLE_KERNELS: Readonly<Record<string, Kernel>> = {
  constant: (_, node, { outputShapes }) => {
    const { data } = node.attributes as AttributesOf<'constant'>;
    return [tf.tensor(data, [...outputShapes[0]!], data instanceof Int32Array ? 'int32' : 'float32')];
  },
  negate: unary(tf.neg),
  exponential: unary(tf.exp),
  logarithm: unary(tf.log),
  squareRoot: unary(tf.sqrt),
  reciprocalSquareRoot: unary(tf.rsqrt),
  square: unary(tf.square),
  sigmoid: unary(tf.sigmoid),
  hyperbolicTangent: unary(tf.tanh),
  softplus: unary(tf.softplus),
  add: binary(tf.add),
  subtract: binary(tf.sub),
  multiply: binary(tf.mul),
  divide: binary(tf.div),
  minimum: binary(tf.minimum),
  maximum: binary(tf.maximum),
  lessEqual: binary(tf.lessEqual),
  less: binary(tf.less),
  equal: binary(tf.equal),
  logicalAnd: binary(tf.logicalAnd),
  select: ([condition, a, b]) => [tf.where(condition!, a!, b!)],
  cast: ([x], node) => [tf.cast(x!, node.outputs[0]!.dtype === 'int32' ? 'int32' : 'float32')],
  matmul: product,
  batchMatmul: product,
  sum: ([x], node) => {
    const { axes, keepDimensions } = node.attributes as AttributesOf<'sum'>;
    return [tf.sum(x!, [...axes], keepDimensions)];
  },
  sumOfSquares: ([x]) => [tf.tidy(() => tf.sum(tf.square(x!)))],
  reshape: ([x], _, { outputShapes }) => [tf.reshape(x!, [...outputShapes[0]!])],
  broadcastTo: ([x], _, { outputShapes }) => [tf.broadcastTo(x!, [...outputShapes[0]!])],
  transpose: ([x], node) => [tf.transpose(x!, [...(node.attributes as AttributesOf<'transpose'>).permutation])],
  concat: (inputs, node) => [tf.concat([...inputs], (node.attributes as AttributesOf<'concat'>).axis)],
  split: ([x], node, { outputShapes }) => {
    const { axis, dropsRest } = node.attributes as AttributesOf<'split'>;
    const sizes = outputShapes.map((shape) => shape[axis]!);
    if (!dropsRest) return tf.split(x!, sizes, axis);
    let end = 0;
    return outputShapes.map((shape, part) => {
      end += sizes[part]!;
      const begin = shape.map((_, at) => (at === axis ? end - sizes[part]! : 0));
      return tf.slice(x!, begin, [...shape]);
    });
  },
  gather: ([x, indices]) => [tf.gather(x!, indices as tf.Tensor1D)],
  segmentSum: ([x, indices], _, { outputShapes }) => [segmentSum(x!, indices!, outputShapes[0]!)],
  softmax: unary((x) => tf.softmax(x)),
  crossEntropy: ([logits, targets]) => crossEntropy(logits as tf.Tensor2D, targets as tf.Tensor1D),
};

/** wasm multiplies transposed factors by a slow path: they are transposed first. */
const WASM_KERNELS: Readonly<Record<string, Kernel>> = { matmul: productOfTransposed };

/** What computes programs on a backend. */
export interface KernelSet {
  readonly compute: Readonly<Record<string, Kernel>>;
  readonly states: StateKernels;
  /** The nodes of a program as they are carried out. */
  steps(program: Program): readonly Step[];
  /** Notes what a run is fed, while its numbers are at hand. */
  feed(indices: tf.Tensor, data: Int32Array): void;
  /** Frees what the run noted. */
  finish(): void;
}

/** The kernels of a backend, for one session. */
export function kernelsFor(backend: string): KernelSet {
  if (backend === 'webgpu') {
    const fed = createFedIndices();
    const compute = { ...PORTABLE_KERNELS, ...webgpuKernels(fed) };
    return {
      compute,
      states: webgpuStateKernels(fed),
      steps: fuseProgram,
      feed: fed.note,
      finish: fed.clear,
    };
  }
  const own = { tensorflow: NATIVE_KERNELS, wasm: WASM_KERNELS }[backend];
  const compute = { ...PORTABLE_KERNELS, ...own };
  const states = portableStateKernels(compute.segmentSum!);
  return { compute, states, steps: ({ nodes }) => nodes, feed: () => undefined, finish: () => undefined };
}

function product([a, b]: readonly tf.Tensor[], node: Node): readonly tf.Tensor[] {
  const { transposeA, transposeB } = node.attributes as AttributesOf<'matmul'>;
  return [tf.matMul(a!, b!, transposeA, transposeB)];
}

function productOfTransposed([a, b]: readonly tf.Tensor[], node: Node): readonly tf.Tensor[] {
  const { transposeA, transposeB } = node.attributes as AttributesOf<'matmul'>;
  return [tf.tidy(() => tf.matMul(transposeA ? tf.transpose(a!) : a!, transposeB ? tf.transpose(b!) : b!))];
}

/** Added up in JavaScript: the backends without an unsorted segment sum keep their numbers in reach. */
function segmentSum(x: tf.Tensor, indices: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const source = x.dataSync() as Float32Array;
  const rows = indices.dataSync() as Int32Array;
  const width = tf.util.sizeFromShape(shape.slice(1));
  const sums = new Float32Array(shape[0]! * width);
  for (let row = 0; row < rows.length; row++) {
    const target = rows[row]! * width;
    const start = row * width;
    for (let column = 0; column < width; column++) sums[target + column]! += source[start + column]!;
  }
  return tf.tensor(sums, [...shape], 'float32');
}

function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor1D): readonly tf.Tensor[] {
  return tf.tidy(() => {
    const shifted = tf.sub(logits, tf.max(logits, 1, true));
    const exponentials = tf.exp(shifted);
    const sums = tf.sum(exponentials, 1, true);
    const onehot = tf.cast(tf.oneHot(targets, logits.shape[1]), 'float32');
    const losses = tf.sub(tf.reshape(tf.log(sums), [-1]), tf.sum(tf.mul(shifted, onehot), 1));
    return [losses, tf.sub(tf.div(exponentials, sums), onehot)];
  });
}
