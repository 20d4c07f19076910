import { MetaapoError } from '@metaapo/core/contracts';
import {
  addNode,
  type BinaryOperation,
  type Comparison,
  type DataType,
  type GradientRegion,
  type Graph,
  type OperationName,
  type StateDeclaration,
  type UnaryOperation,
  type Value,
} from './program.js';
import { broadcastShape, type Dimension, type Shape, sameShape, sizeOf } from './shape.js';

/** A value, or a number that stands for a float32 scalar. */
export type Operand = Value | number;

function refuse(operation: string, got: string): never {
  throw new MetaapoError('internal', `${operation} cannot be applied`, { where: 'a tensor program', got });
}

const describe = (value: Value): string => `${value.dtype}[${value.shape.join(', ')}]`;

function only(values: readonly Value[]): Value {
  return values[0]!;
}

/** A tensor that each run feeds. Axes may be numbers or single symbols, which the fed tensor binds. */
export function input(graph: Graph, name: string, shape: Shape, dtype: 'float32' | 'int32' = 'float32'): Value {
  const known = graph.inputs.get(name);
  if (known !== undefined) return known;
  const value = only(addNode(graph, 'input', { name }, [], [{ shape, dtype }]));
  graph.inputs.set(name, value);
  return value;
}

/** Numbers known when the program is written. */
export function constant(graph: Graph, data: Float32Array | Int32Array, shape: readonly number[]): Value {
  const dtype = data instanceof Float32Array ? 'float32' : 'int32';
  return only(addNode(graph, 'constant', { data }, [], [{ shape, dtype }]));
}

/** A float32 scalar. */
export function scalar(graph: Graph, value: number): Value {
  return constant(graph, Float32Array.of(value), []);
}

/** Declares a state of the session; the same declaration may be made in many programs. */
export function declareState(graph: Graph, declaration: StateDeclaration): StateDeclaration {
  graph.states.set(declaration.name, declaration);
  return declaration;
}

/** The present value of a state. Two reads in one program are one value. */
export function readState(graph: Graph, declaration: StateDeclaration): Value {
  const known = graph.stateReads.get(declaration.name);
  if (known !== undefined) return known;
  declareState(graph, declaration);
  const value = only(addNode(graph, 'readState', { state: declaration.name }, [], [declaration]));
  graph.stateReads.set(declaration.name, value);
  return value;
}

/** Effect: the state becomes `value`. */
export function assignState(graph: Graph, declaration: StateDeclaration, value: Value): void {
  declareState(graph, declaration);
  addNode(graph, 'assignState', { state: declaration.name }, [value], []);
}

/** Effect: `value` is added to the state. */
export function addToState(graph: Graph, declaration: StateDeclaration, value: Value): void {
  if (!sameShape(declaration.shape, value.shape)) {
    refuse('addToState', `${describe(value)} for state ${declaration.name} of shape [${declaration.shape}]`);
  }
  declareState(graph, declaration);
  addNode(graph, 'addToState', { state: declaration.name }, [value], []);
}

/** Effect: rows `[n, ...]` are added to those rows of the state that `indices` `[n]` name; some may be named twice. */
export function addRowsToState(graph: Graph, declaration: StateDeclaration, rows: Value, indices: Value): void {
  declareState(graph, declaration);
  addNode(graph, 'addRowsToState', { state: declaration.name }, [rows, indices], []);
}

/**
 * Effect: rows `[n, w]` take the place of those rows of the state that `indices` `[n]` name, each once at most. The state,
 * whatever its shape, is seen as rows of w numbers. They are written into its memory: it must not have been read in this
 * program before, but may be afterwards, as a whole and without a copy.
 */
export function replaceRowsOfState(graph: Graph, declaration: StateDeclaration, rows: Value, indices: Value): void {
  refuseAfterRead(graph, declaration);
  addNode(graph, 'replaceRowsOfState', { state: declaration.name }, [rows, indices], []);
}

/**
 * Effect: rows `from` `[n]` of the state, seen as rows of `width` numbers, are copied to the rows `to` `[n]`, all at one
 * time; none is named twice in either. As for {@link replaceRowsOfState}, no read may come before.
 */
export function moveRowsOfState(
  graph: Graph,
  declaration: StateDeclaration,
  width: number,
  from: Value,
  to: Value,
): void {
  refuseAfterRead(graph, declaration);
  addNode(graph, 'moveRowsOfState', { state: declaration.name, width }, [from, to], []);
}

function refuseAfterRead(graph: Graph, declaration: StateDeclaration): void {
  declareState(graph, declaration);
  if (!graph.stateReads.has(declaration.name)) return;
  throw new MetaapoError('internal', 'rows of a state are written after it was read', { where: declaration.name });
}

/** Effect: the state becomes zero. */
export function clearState(graph: Graph, declaration: StateDeclaration): void {
  declareState(graph, declaration);
  addNode(graph, 'clearState', { state: declaration.name }, [], []);
}

function unary(operation: UnaryOperation): (x: Value) => Value {
  return (x) => only(addNode(x.graph, operation, {}, [x], [{ shape: x.shape, dtype: 'float32' }]));
}

/** -x */
export const negate = unary('negate');
/** e^x */
export const exponential = unary('exponential');
/** Natural logarithm. */
export const logarithm = unary('logarithm');
/** x^0.5 */
export const squareRoot = unary('squareRoot');
/** x^-0.5 */
export const reciprocalSquareRoot = unary('reciprocalSquareRoot');
/** x^2 */
export const square = unary('square');
/** 1 / (1 + e^-x) */
export const sigmoid = unary('sigmoid');
/** tanh x */
export const hyperbolicTangent = unary('hyperbolicTangent');
/** log(1 + e^x) */
export const softplus = unary('softplus');

function operands(a: Operand, b: Operand): [Value, Value] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? scalar(a.graph, b) : b];
  if (typeof b === 'number') return refuse('an operation on two numbers', `${a} and ${b}`);
  return [scalar(b.graph, a), b];
}

function binary(operation: BinaryOperation): (a: Operand, b: Operand) => Value {
  return (a, b) => {
    const [left, right] = operands(a, b);
    const shape = broadcastShape(left.shape, right.shape);
    return only(addNode(left.graph, operation, {}, [left, right], [{ shape, dtype: 'float32' }]));
  };
}

/** a + b */
export const add = binary('add');
/** a - b */
export const subtract = binary('subtract');
/** a * b */
export const multiply = binary('multiply');
/** a / b */
export const divide = binary('divide');
/** The smaller of a and b. */
export const minimum = binary('minimum');
/** The larger of a and b. */
export const maximum = binary('maximum');

function comparison(operation: Comparison): (a: Value, b: Value) => Value {
  return (a, b) => {
    const shape = broadcastShape(a.shape, b.shape);
    return only(addNode(a.graph, operation, {}, [a, b], [{ shape, dtype: 'bool' }]));
  };
}

/** a <= b */
export const lessEqual = comparison('lessEqual');
/** a < b */
export const less = comparison('less');
/** a = b */
export const equal = comparison('equal');

/** Both hold. */
export function logicalAnd(a: Value, b: Value): Value {
  return only(addNode(a.graph, 'logicalAnd', {}, [a, b], [{ shape: broadcastShape(a.shape, b.shape), dtype: 'bool' }]));
}

/** `a` where `condition` holds, else `b`; all three of one shape. */
export function select(condition: Value, a: Value, b: Value): Value {
  if (!sameShape(a.shape, b.shape) || !sameShape(condition.shape, a.shape)) {
    refuse('select', [condition, a, b].map(describe).join(', '));
  }
  return only(addNode(a.graph, 'select', {}, [condition, a, b], [{ shape: a.shape, dtype: a.dtype }]));
}

/** The same numbers in another type. */
export function cast(x: Value, dtype: DataType): Value {
  return x.dtype === dtype ? x : only(addNode(x.graph, 'cast', {}, [x], [{ shape: x.shape, dtype }]));
}

/** Which factor of a matrix product is read transposed. */
export interface TransposeOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

function productOf(operation: 'matmul' | 'batchMatmul', a: Value, b: Value, options: TransposeOptions): Value {
  const { transposeA = false, transposeB = false } = options;
  const rank = operation === 'matmul' ? 2 : 3;
  const [rows, innerA] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
  const [innerB, columns] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
  const fits = a.shape.length === rank && b.shape.length === rank && innerA === innerB && a.dtype === b.dtype;
  if (!fits || (rank === 3 && a.shape[0] !== b.shape[0])) refuse(operation, `${describe(a)} and ${describe(b)}`);
  const shape = [...a.shape.slice(0, -2), rows!, columns!];
  return only(addNode(a.graph, operation, { transposeA, transposeB }, [a, b], [{ shape, dtype: 'float32' }]));
}

/** Matrix product `[m, k] x [k, n]` of two float32 or two bfloat16 values; the result is float32. */
export function matmul(a: Value, b: Value, options: TransposeOptions = {}): Value {
  return productOf('matmul', a, b, options);
}

/** Batched matrix product `[b, m, k] x [b, k, n]`. */
export function batchMatmul(a: Value, b: Value, options: TransposeOptions = {}): Value {
  return productOf('batchMatmul', a, b, options);
}

/** Sum over axes (negative ones count from the end). */
export function sum(x: Value, axes: readonly number[], options: { readonly keepDimensions?: boolean } = {}): Value {
  const keepDimensions = options.keepDimensions ?? false;
  const positive = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  const shape = keepDimensions
    ? x.shape.map((dimension, axis): Dimension => (positive.includes(axis) ? 1 : dimension))
    : x.shape.filter((_, axis) => !positive.includes(axis));
  return only(addNode(x.graph, 'sum', { axes: positive, keepDimensions }, [x], [{ shape, dtype: 'float32' }]));
}

/** Sum of the squares of all elements, a scalar. */
export function sumOfSquares(x: Value): Value {
  return only(addNode(x.graph, 'sumOfSquares', {}, [x], [{ shape: [], dtype: 'float32' }]));
}

/** Mean over the last axis, whose size must be a number; the axis stays with size 1. */
export function meanOfRows(x: Value): Value {
  const size = x.shape.at(-1);
  if (typeof size !== 'number') refuse('meanOfRows', describe(x));
  return multiply(sum(x, [-1], { keepDimensions: true }), 1 / size);
}

/** The same elements in another shape. */
export function reshape(x: Value, shape: Shape): Value {
  if (sizeOf(shape) !== sizeOf(x.shape)) refuse('reshape', `${describe(x)} to [${shape.join(', ')}]`);
  return sameShape(shape, x.shape) ? x : only(addNode(x.graph, 'reshape', {}, [x], [{ shape, dtype: x.dtype }]));
}

/** The value repeated along its axes of size 1 (and new outer axes) up to a shape. */
export function broadcastTo(x: Value, shape: Shape): Value {
  if (!sameShape(broadcastShape(x.shape, shape), shape))
    refuse('broadcastTo', `${describe(x)} to [${shape.join(', ')}]`);
  return sameShape(shape, x.shape) ? x : only(addNode(x.graph, 'broadcastTo', {}, [x], [{ shape, dtype: x.dtype }]));
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  const shape = permutation.map((axis) => x.shape[axis]!);
  return only(addNode(x.graph, 'transpose', { permutation }, [x], [{ shape, dtype: x.dtype }]));
}

/**
 * Values one behind the other along an axis.
 * @param size their sizes' sum on that axis, to be given where one of them is no number
 */
export function concat(values: readonly Value[], axis: number, size?: Dimension): Value {
  const first = values[0]!;
  const sizes = values.map((value) => value.shape[axis]);
  const total =
    size ??
    sizes.reduce<number>(
      (sum, part) => (typeof part === 'number' ? sum + part : refuse('concat', values.map(describe).join(', '))),
      0,
    );
  const shape = first.shape.map((dimension, at): Dimension => (at === axis ? total : dimension));
  return only(addNode(first.graph, 'concat', { axis }, values, [{ shape, dtype: first.dtype }]));
}

/**
 * Parts of the given sizes along an axis; sizes that are no numbers have to add up when the program runs.
 * @param dropsRest what is left behind the parts is no part
 */
export function split(
  x: Value,
  sizes: readonly Dimension[],
  axis: number,
  { dropsRest = false }: { readonly dropsRest?: boolean } = {},
): readonly Value[] {
  const isNumeric = sizes.every((size) => typeof size === 'number');
  const total = isNumeric ? sizes.reduce<number>((sum, size) => sum + Number(size), 0) : x.shape[axis];
  if (!dropsRest && x.shape[axis] !== total) refuse('split', `${describe(x)} into ${sizes}`);
  if (sizes.length === 1 && sizes[0] === x.shape[axis]) return [x];
  const shapes = sizes.map((size) => x.shape.map((dimension, at): Dimension => (at === axis ? size : dimension)));
  return addNode(
    x.graph,
    'split',
    { axis, sizes, dropsRest },
    [x],
    shapes.map((shape) => ({ shape, dtype: x.dtype })),
  );
}

/** The rows of `x` `[n, ...]` that `indices` `[m]` (int32, each in [0, n)) name: `[m, ...]`. */
export function gather(x: Value, indices: Value): Value {
  const shape = [indices.shape[0]!, ...x.shape.slice(1)];
  return only(addNode(x.graph, 'gather', {}, [x, indices], [{ shape, dtype: x.dtype }]));
}

/** `[rows, ...]`: row r is the sum of the rows of `x` `[n, ...]` whose entry in `indices` `[n]` is r; zero if none. */
export function segmentSum(x: Value, indices: Value, rows: Dimension): Value {
  const shape = [rows, ...x.shape.slice(1)];
  return only(addNode(x.graph, 'segmentSum', {}, [x, indices], [{ shape, dtype: 'float32' }]));
}

/** Softmax over the last axis. */
export function softmax(x: Value): Value {
  return only(addNode(x.graph, 'softmax', {}, [x], [{ shape: x.shape, dtype: 'float32' }]));
}

/**
 * Negative log-probabilities `[n]` of `targets` `[n]` (int32) under softmax(`logits`), `[n, v]`, and their gradient
 * softmax - onehot with respect to the logits, `[n, v]`.
 */
export function crossEntropy(logits: Value, targets: Value): { readonly losses: Value; readonly residual: Value } {
  const [losses, residual] = addNode(
    logits.graph,
    'crossEntropy',
    {},
    [logits, targets],
    [
      { shape: targets.shape, dtype: 'float32' },
      { shape: logits.shape, dtype: 'float32' },
    ],
  );
  return { losses: losses!, residual: residual! };
}

/** Ids and numbers of the AdamW update of one parameter. */
export interface AdamWUpdate {
  readonly parameter: StateDeclaration;
  readonly gradient: StateDeclaration;
  readonly firstMoment: StateDeclaration;
  readonly secondMoment: StateDeclaration;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** 0 for parameters that do not decay. */
  readonly weightDecay: number;
  /** Scalars: learning rate, factor of the gradient, 1 - beta1^t and 1 - beta2^t. */
  readonly learningRate: Value;
  readonly gradientScale: Value;
  readonly correction1: Value;
  readonly correction2: Value;
}

/**
 * Effect: one AdamW step with decoupled weight decay (arXiv 1711.05101, algorithm 2), after which the gradient is zero.
 * With g the scaled gradient:
 * p *= 1 - lr * decay; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * p -= lr * (m / c1) / (sqrt(v / c2) + epsilon).
 */
export function updateAdamW(graph: Graph, update: AdamWUpdate): void {
  const states = [update.parameter, update.gradient, update.firstMoment, update.secondMoment];
  for (const state of states) declareState(graph, state);
  const [parameter, gradient, firstMoment, secondMoment] = states.map((state) => state.name) as [
    string,
    string,
    string,
    string,
  ];
  const { beta1, beta2, epsilon, weightDecay } = update;
  addNode(
    graph,
    'updateAdamW',
    { parameter, gradient, firstMoment, secondMoment, beta1, beta2, epsilon, weightDecay },
    [update.learningRate, update.gradientScale, update.correction1, update.correction2],
    [],
  );
}

/**
 * A piece of a program with a gradient rule of its own: `write` adds nodes from the inputs, and `gradient`, given the
 * cotangents of the outputs, adds the nodes of the inputs' cotangents. Used where the rule by single operations costs
 * more than a derived one.
 */
export function withGradient(
  inputs: readonly Value[],
  write: () => readonly Value[],
  gradient: GradientRegion['gradient'],
): readonly Value[] {
  const graph = inputs[0]!.graph;
  const start = graph.nodes.length;
  const outputs = write();
  const region: GradientRegion = { inputs, outputs, gradient };
  for (const node of graph.nodes.slice(start)) graph.regions.set(node, region);
  return outputs;
}

/** Operations whose results carry no gradient. */
export const WITHOUT_GRADIENT: ReadonlySet<OperationName> = new Set([
  'input',
  'constant',
  'readState',
  'takeState',
  'lessEqual',
  'less',
  'equal',
  'logicalAnd',
]);
