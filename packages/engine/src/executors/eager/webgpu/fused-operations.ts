import type { Node, OperationName, Value } from '../../../program/index.js';

const unary =
  (text: (x: string) => string) =>
  ([x]: readonly string[]): string =>
    text(x!);
const binary =
  (operator: string) =>
  ([a, b]: readonly string[]): string =>
    `(${a} ${operator} ${b})`;

/** WGSL of the primitives that compute each number out of one number of every input. */
export const ELEMENTWISE: Readonly<Partial<Record<OperationName, (inputs: readonly string[], node: Node) => string>>> =
  {
    negate: unary((x) => `(-${x})`),
    exponential: unary((x) => `exp(${x})`),
    logarithm: unary((x) => `log(${x})`),
    squareRoot: unary((x) => `sqrt(${x})`),
    reciprocalSquareRoot: unary((x) => `inverseSqrt(${x})`),
    square: unary((x) => `(${x} * ${x})`),
    sigmoid: unary((x) => `(1.0 / (1.0 + exp(-${x})))`),
    // Written so that no exponential overflows and, for softplus, nothing small is lost beside 1.
    hyperbolicTangent: unary((x) => `(sign(${x}) * (1.0 - exp(-2.0 * abs(${x}))) / (1.0 + exp(-2.0 * abs(${x}))))`),
    softplus: unary((x) => `select(max(${x}, 0.0) + log(1.0 + exp(-abs(${x}))), exp(${x}), ${x} < -12.0)`),
    add: binary('+'),
    subtract: binary('-'),
    multiply: binary('*'),
    divide: binary('/'),
    minimum: ([a, b]) => `min(${a}, ${b})`,
    maximum: ([a, b]) => `max(${a}, ${b})`,
    lessEqual: binary('<='),
    less: binary('<'),
    equal: binary('=='),
    logicalAnd: binary('&&'),
    select: ([condition, a, b]) => `select(${b}, ${a}, ${condition})`,
    cast: ([x], { outputs }) => (outputs[0]!.dtype === 'bfloat16' ? `rounded(${x})` : `${wgslType(outputs[0]!)}(${x})`),
  };

/** The type that holds a number of a value in a shader. */
export function wgslType({ dtype }: Value): 'f32' | 'i32' | 'bool' {
  if (dtype === 'bool') return 'bool';
  return dtype === 'int32' ? 'i32' : 'f32';
}

/** A number that is known when the program is written; undefined for any other value. */
export function literalOf({ node, dtype }: Value): string | undefined {
  if (node.operation !== 'constant' || node.attributes.data.length !== 1) return undefined;
  const number = node.attributes.data[0]!;
  if (!Number.isFinite(number)) return undefined;
  return dtype === 'int32' ? `${number}` : `f32(${number})`;
}

/** Concatenations of more parts are left to TensorFlow.js. */
const MOST_PARTS = 3;

/** Whether a value can be computed within another one's shader, an index at a time. */
export function isFusable({ node, shape }: Value): boolean {
  switch (node.operation) {
    case 'reshape':
    case 'broadcastTo':
    case 'split':
      return true;
    case 'concat':
      return node.inputs.length <= MOST_PARTS && node.attributes.axis === shape.length - 1;
    case 'sum':
      return isRowSum(node);
    case 'softmax':
      return shape.length === 2;
    default:
      return node.operation in ELEMENTWISE;
  }
}

/** Whether what a node gives lies as its input does: it needs no shader. What is rounded is so by whoever reads it. */
export function movesNothing({ operation, inputs, outputs }: Node): boolean {
  return (
    operation === 'reshape' ||
    (operation === 'cast' && outputs[0]!.dtype === 'bfloat16' && inputs[0]!.dtype === 'float32')
  );
}

/** Whether a node is the sum of each row of a matrix. */
export function isRowSum(node: Node): boolean {
  return node.operation === 'sum' && node.inputs[0]!.shape.length === 2 && sameAxes(node.attributes.axes, 1);
}

/** Whether a node is the sum of each column of a matrix. */
export function isColumnSum(node: Node): boolean {
  return node.operation === 'sum' && node.inputs[0]!.shape.length === 2 && sameAxes(node.attributes.axes, 0);
}

const sameAxes = (axes: readonly number[], only: number): boolean => axes.length === 1 && axes[0] === only;
