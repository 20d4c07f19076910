import type { DataType, Node, OperationName, Shape, Value } from '../../program/index.js';
import { sameShape } from '../../program/index.js';
import { attribute, type Output } from './graph-writer.js';
import type { ProgramWriter } from './program-writer.js';
import { writeKernel } from './write-kernel.js';

/** Writes a node's operations; returns its outputs. */
type Translation = (writer: ProgramWriter, node: Node) => readonly Output[];

type AttributesOf<Name extends OperationName> = Extract<Node, { operation: Name }>['attributes'];

const { type, boolean, integer } = attribute;
const first = (node: Node): Value => node.inputs[0]!;
/** The inputs of a node. */
export const operands = (writer: ProgramWriter, node: Node): Output[] => node.inputs.map((value) => writer.get(value));

/** One operation on float32 inputs: bfloat16 ones are converted first, since every elementwise result is float32. */
function elementwise(operation: string): Translation {
  return (writer, node) => {
    const dtype = first(node).dtype === 'bfloat16' ? 'float32' : first(node).dtype;
    const inputs = node.inputs.map((value) => writer.cast(repeatable(writer, node, value), value.dtype, dtype));
    return [writer.add(operation, inputs, { T: type(dtype) })];
  };
}

/** The bfloat16 values that the operands hold exactly, or else the operands. */
const narrowest = (writer: ProgramWriter, { inputs }: Node): readonly (readonly [Output, DataType])[] =>
  inputs.map((value) => {
    const output = writer.get(value);
    const narrow = value.dtype === 'bfloat16' ? output : writer.narrow(output);
    return narrow === undefined ? [output, value.dtype] : [narrow, 'bfloat16'];
  });

function addsNarrow(writer: ProgramWriter, node: Node): boolean {
  const [a, b] = node.inputs as readonly [Value, Value];
  if (!writer.hasKernels || !sameShape(a.shape, b.shape)) return false;
  const isBroadcast = [a, b].some(({ node: { operation } }) => operation === 'broadcastTo');
  return !isBroadcast && narrowest(writer, node).some(([, dtype]) => dtype === 'bfloat16');
}

/** A sum that reads bfloat16 as it is. */
function writeMixedSum(writer: ProgramWriter, node: Node): Output {
  const [[a, A], [b, B]] = narrowest(writer, node) as [readonly [Output, DataType], readonly [Output, DataType]];
  return writer.add('MetaapoAdd', [a, b], { A: type(A), B: type(B) });
}

/** The operand before it was broadcast, where the operation itself repeats it to the same effect. */
function repeatable(writer: ProgramWriter, node: Node, value: Value): Output {
  const source = value.node.operation === 'broadcastTo' ? first(value.node) : undefined;
  const other = node.inputs.find((input) => input !== value);
  const isRepeated = source !== undefined && other !== undefined && other.node.operation !== 'broadcastTo';
  return isRepeated && sameShape(other.shape, value.shape) && writer.has(source)
    ? writer.get(source)
    : writer.get(value);
}

/** A matrix product in the factors' type; a cast of a bfloat16 product back to bfloat16 costs nothing. */
function product(operation: string, names: readonly [string, string]): Translation {
  return (writer, node) => {
    const { transposeA, transposeB } = node.attributes as AttributesOf<'matmul'>;
    const { dtype } = first(node);
    const flags = { [names[0]]: boolean(transposeA), [names[1]]: boolean(transposeB) };
    const result = writer.add(operation, operands(writer, node), { T: type(dtype), ...flags });
    return [writer.cast(result, dtype, 'float32')];
  };
}

/** The sizes of a reshape; a single unknown one is left to the runtime. */
function reshapeSizes(writer: ProgramWriter, shape: Shape): Output {
  const unknown = shape.filter((dimension) => typeof dimension !== 'number').length;
  if (unknown !== 1) return writer.shape(shape);
  return writer.integers(shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1)));
}

const int32 = type('int32');
const typed = (node: Node): { readonly T: ReturnType<typeof type> } => ({ T: type(first(node).dtype) });

/**
 * With m the largest logit of a row, p its softmax and t its target: the loss is (m - logit_t) - log(max p), since max p is
 * exp(m) over the sum of exponentials, and never small; its gradient is p with 1 taken off at t, in p's own memory where
 * nothing else reads it. A program that wants only one of the two computes only that one, which TensorFlow's own operation
 * does not.
 */
function writeCrossEntropy(writer: ProgramWriter, node: Node, logits: Output, targets: Output): readonly Output[] {
  const [rows] = node.inputs[1]!.shape;
  const float = type('float32');
  const largest = (x: Output): Output =>
    writer.add('Max', [x, writer.integers([1])], { T: float, Tidx: int32, keep_dims: boolean(false) });
  const probabilities = writer.add('Softmax', [logits], { T: float });
  const counts = writer.add('Range', [writer.integer(0), writer.dimension(rows!), writer.integer(1)], { Tidx: int32 });
  const places = writer.add('Pack', [counts, targets], { T: int32, N: integer(2), axis: integer(1) });
  const atTarget = writer.add('GatherNd', [logits, places], { Tparams: float, Tindices: int32 });
  const distance = writer.add('Sub', [largest(logits), atTarget], { T: float });
  const logOfLargest = writer.add('Log', [largest(probabilities)], { T: float });
  const losses = writer.add('Sub', [distance, logOfLargest], { T: float });
  const ones = writer.add('Fill', [writer.shape([rows!]), writer.float(1)], { T: float, index_type: int32 });
  const subtract = [probabilities, places, ones];
  const residual = writer.add('TensorScatterSub', subtract, { T: float, Tindices: int32 });
  return [losses, residual];
}

/** Every primitive that touches no state. */
export const TRANSLATIONS: { readonly [Name in OperationName]?: Translation } = {
  constant: (writer, node) => {
    const { data } = node.attributes as AttributesOf<'constant'>;
    return [writer.constant(data, node.outputs[0]!.shape as readonly number[])];
  },
  negate: elementwise('Neg'),
  exponential: elementwise('Exp'),
  logarithm: elementwise('Log'),
  squareRoot: elementwise('Sqrt'),
  reciprocalSquareRoot: elementwise('Rsqrt'),
  square: elementwise('Square'),
  sigmoid: elementwise('Sigmoid'),
  hyperbolicTangent: elementwise('Tanh'),
  softplus: elementwise('Softplus'),
  add: (writer, node) =>
    addsNarrow(writer, node) ? [writeMixedSum(writer, node)] : elementwise('AddV2')(writer, node),
  subtract: elementwise('Sub'),
  multiply: elementwise('Mul'),
  divide: elementwise('RealDiv'),
  minimum: elementwise('Minimum'),
  maximum: elementwise('Maximum'),
  lessEqual: elementwise('LessEqual'),
  less: elementwise('Less'),
  equal: elementwise('Equal'),
  logicalAnd: (writer, node) => [writer.add('LogicalAnd', operands(writer, node))],
  select: (writer, node) => [writer.add('SelectV2', operands(writer, node), { T: type(node.outputs[0]!.dtype) })],
  cast: (writer, node) => {
    const from = first(node).dtype;
    const to = node.outputs[0]!.dtype as DataType;
    return [writer.cast(writer.get(first(node)), from, to)];
  },
  matmul: product('MatMul', ['transpose_a', 'transpose_b']),
  batchMatmul: product('BatchMatMulV2', ['adj_x', 'adj_y']),
  sum: (writer, node) => {
    const { axes, keepDimensions } = node.attributes as AttributesOf<'sum'>;
    const x = writer.cast(writer.get(first(node)), first(node).dtype, 'float32');
    const attributes = { T: type('float32'), Tidx: int32, keep_dims: boolean(keepDimensions) };
    return [writer.add('Sum', [x, writer.integers(axes)], attributes)];
  },
  sumOfSquares: (writer, node) => {
    const x = writer.cast(writer.get(first(node)), first(node).dtype, 'float32');
    const half = writer.add('L2Loss', [x], { T: type('float32') });
    return [writer.add('Mul', [half, writer.float(2)], { T: type('float32') })];
  },
  reshape: (writer, node) => {
    const sizes = reshapeSizes(writer, node.outputs[0]!.shape);
    return [writer.add('Reshape', [writer.get(first(node)), sizes], { ...typed(node), Tshape: int32 })];
  },
  broadcastTo: (writer, node) => {
    const sizes = writer.shape(node.outputs[0]!.shape);
    return [writer.add('BroadcastTo', [writer.get(first(node)), sizes], { ...typed(node), Tidx: int32 })];
  },
  transpose: (writer, node) => {
    const { permutation } = node.attributes as AttributesOf<'transpose'>;
    const inputs = [writer.get(first(node)), writer.integers(permutation)];
    return [writer.add('Transpose', inputs, { ...typed(node), Tperm: int32 })];
  },
  concat: (writer, node) => {
    const { axis } = node.attributes as AttributesOf<'concat'>;
    const inputs = operands(writer, node);
    if (inputs.length === 1) return inputs;
    const attributes = { ...typed(node), Tidx: int32, N: integer(inputs.length) };
    return [writer.add('ConcatV2', [...inputs, writer.integer(axis)], attributes)];
  },
  split: (writer, node) => {
    const { axis, sizes, dropsRest } = node.attributes as AttributesOf<'split'>;
    // -1: as much as is left.
    const all = dropsRest ? [...sizes, -1] : sizes;
    const attributes = { ...typed(node), Tlen: int32, num_split: integer(all.length) };
    const inputs = [writer.get(first(node)), writer.shape(all), writer.integer(axis)];
    const parts = writer.add('SplitV', inputs, attributes);
    return sizes.map((_, part) => (part === 0 ? parts : `${parts}:${part}`));
  },
  gather: (writer, node) => {
    const attributes = { Tparams: type(first(node).dtype), Tindices: int32, Taxis: int32 };
    return [writer.add('GatherV2', [...operands(writer, node), writer.integer(0)], attributes)];
  },
  segmentSum: (writer, node) => {
    const [x, indices] = operands(writer, node) as [Output, Output];
    const rows = writer.dimension(node.outputs[0]!.shape[0]!);
    const inputs = [writer.cast(x, first(node).dtype, 'float32'), indices, rows];
    return [writer.add('UnsortedSegmentSum', inputs, { T: type('float32'), Tindices: int32, Tnumsegments: int32 })];
  },
  softmax: (writer, node) => {
    const x = writer.cast(writer.get(first(node)), first(node).dtype, 'float32');
    return [writer.add('Softmax', [x], { T: type('float32') })];
  },
  crossEntropy: (writer, node) => {
    const [logits, targets] = operands(writer, node) as [Output, Output];
    return writeCrossEntropy(writer, node, writer.cast(logits, first(node).dtype, 'float32'), targets);
  },
  kernel: writeKernel,
};
