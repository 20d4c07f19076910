import { type Dimension, type Shape, symbolsOf } from './shape.js';

/** Element type of a value. `bfloat16` exists inside programs only: inputs and outputs are float32 or int32. */
export type DataType = 'float32' | 'bfloat16' | 'int32' | 'bool';

/** Elementwise functions of one float value. */
export const UNARY_OPERATIONS = [
  'negate',
  'exponential',
  'logarithm',
  'squareRoot',
  'reciprocalSquareRoot',
  'square',
  'sigmoid',
  'hyperbolicTangent',
  'softplus',
] as const;
/** Elementwise functions of two float values, with broadcasting. */
export const BINARY_OPERATIONS = ['add', 'subtract', 'multiply', 'divide', 'minimum', 'maximum'] as const;
/** Elementwise comparisons of two values, with broadcasting; the result is bool. */
export const COMPARISONS = ['lessEqual', 'less', 'equal'] as const;

export type UnaryOperation = (typeof UNARY_OPERATIONS)[number];
export type BinaryOperation = (typeof BINARY_OPERATIONS)[number];
export type Comparison = (typeof COMPARISONS)[number];

type NoAttributes = Record<never, never>;

/** Every primitive with its attributes. An executor has one kernel for each; `gradients.ts` one rule. */
export type OperationAttributes = Record<UnaryOperation | BinaryOperation | Comparison, NoAttributes> & {
  /** A named tensor that the run feeds. */
  input: { readonly name: string };
  /** Numbers known when the program is written. */
  constant: { readonly data: Float32Array | Int32Array };
  /** The present value of a state. */
  readState: { readonly state: string };
  /** The present value of a state, which is empty afterwards. */
  takeState: { readonly state: string };
  /** Effect: the state becomes the input. */
  assignState: { readonly state: string };
  /** Effect: the input is added to the state. */
  addToState: { readonly state: string };
  /** Effect: rows (input 0, `[n, ...]`) are added to the state's rows that input 1 (`[n]` int32) names. */
  addRowsToState: { readonly state: string };
  /** Effect: rows (input 0, `[n, w]`) take the place of the state's rows that input 1 (`[n]` int32) names. */
  replaceRowsOfState: { readonly state: string };
  /** Effect: the state's rows of `width` numbers that input 0 (`[n]` int32) names are copied to those that input 1 names. */
  moveRowsOfState: { readonly state: string; readonly width: number };
  /** Effect: the state becomes zero. */
  clearState: { readonly state: string };
  /**
   * Effect: one AdamW update; the gradient is zero afterwards. Inputs, scalars: learning rate, gradient scale,
   * 1 - beta1^t, 1 - beta2^t.
   */
  updateAdamW: {
    readonly parameter: string;
    readonly gradient: string;
    readonly firstMoment: string;
    readonly secondMoment: string;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
  };
  cast: NoAttributes;
  logicalAnd: NoAttributes;
  /** Input 1 where input 0 (bool) holds, else input 2; all of one shape. */
  select: NoAttributes;
  /** `[m, k] x [k, n]`; for bfloat16 factors the result is a float32 that was rounded to bfloat16. */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  /** `[b, m, k] x [b, k, n]`. */
  batchMatmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  sum: { readonly axes: readonly number[]; readonly keepDimensions: boolean };
  /** Sum of the squares of all elements, a scalar; no value of the input's size is made. */
  sumOfSquares: NoAttributes;
  reshape: NoAttributes;
  broadcastTo: NoAttributes;
  transpose: { readonly permutation: readonly number[] };
  concat: { readonly axis: number };
  /** Parts along an axis; `dropsRest`: there may be more, which is left out. */
  split: { readonly axis: number; readonly sizes: readonly Dimension[]; readonly dropsRest: boolean };
  /** Rows of input 0 (`[n, ...]`) that input 1 (int32, `[m]`) names. */
  gather: NoAttributes;
  /** Row r of the result is the sum of the rows of input 0 whose entry in input 1 (`[n]` int32) is r. */
  segmentSum: NoAttributes;
  /** Over the last axis. */
  softmax: NoAttributes;
  /**
   * Inputs logits `[n, v]` and targets `[n]` int32. Outputs: -log softmax at the target `[n]`, and its gradient
   * softmax - onehot `[n, v]`.
   */
  crossEntropy: NoAttributes;
  /** What takes many primitives in one pass, see kernels.ts: only executors with kernels of their own have it. */
  kernel: KernelAttributes;
};

type HeadAttributes = Readonly<Record<'heads' | 'groups' | 'window' | 'cap', number>>;

/** A fused kernel by name, with its attributes. */
export type KernelAttributes =
  | { readonly kernel: 'RmsNorm' | 'RmsNormGradient'; readonly epsilon: number }
  | { readonly kernel: 'GatedSilu' | 'GatedSiluGradient' | 'Losses' | 'Residual' | 'Draw' }
  | { readonly kernel: 'Rotate'; readonly heads: number; readonly scale: number; readonly back: boolean }
  | ({ readonly kernel: 'Attention' | 'AttentionGradient' | 'CachedAttention' } & HeadAttributes);

/** The names of the fused kernels. */
export type KernelName = KernelAttributes['kernel'];

export type OperationName = keyof OperationAttributes;

/** One primitive applied to values. */
export type Node = {
  [Name in OperationName]: {
    readonly operation: Name;
    readonly attributes: OperationAttributes[Name];
    readonly inputs: readonly Value[];
    readonly outputs: readonly Value[];
    /** Position of the node in its program. */
    readonly id: number;
    /** Path of the block the node belongs to, for error messages and profiles: `layers/3/attention`. */
    readonly scope: string;
    /** The block that the node is a part of, see {@link inBlock}. */
    readonly block?: string;
    /** The node may not run before this value exists, although it does not read it. */
    readonly after?: Value;
  };
}[OperationName];

/** What backpropagation may find again: `block` inputs of blocks, `matmul` results of matrix products. */
export type Keep = 'block' | 'matmul';

/** A tensor that does not exist yet: what a node will compute. */
export interface Value {
  readonly graph: Graph;
  readonly node: Node;
  /** Which output of the node. */
  readonly index: number;
  readonly dtype: DataType;
  readonly shape: Shape;
  /** Mark set by {@link keep}. */
  keep?: Keep;
}

/** A tensor that lives in a session from run to run: a weight, a moment, a gradient, a kept activation. */
export interface StateDeclaration {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DataType;
  /** Content before the first write: zeros, or nothing at all (reading is then an error). */
  readonly initially: 'zeros' | 'empty';
}

/** A region with a gradient rule of its own, see {@link withGradient}. */
export interface GradientRegion {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly gradient: (cotangents: readonly (Value | undefined)[]) => readonly (Value | undefined)[];
}

/** A program while it is written: nodes in the order in which they were made, which is a topological one. */
export interface Graph {
  readonly name: string;
  readonly nodes: Node[];
  readonly states: Map<string, StateDeclaration>;
  readonly inputs: Map<string, Value>;
  readonly stateReads: Map<string, Value>;
  readonly regions: Map<Node, GradientRegion>;
  /** Fused kernels that the executor has. */
  readonly kernels: ReadonlySet<KernelName>;
  scope: string;
  block?: string | undefined;
  /** What the nodes to come wait for, see {@link inOrder}. */
  after?: Value | undefined;
}

/** A finished program. */
export interface Program {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  readonly states: ReadonlyMap<string, StateDeclaration>;
}

/**
 * An empty graph.
 * @param kernels fused kernels that it may call
 */
export function createGraph(name: string, kernels: ReadonlySet<KernelName> = new Set()): Graph {
  return {
    name,
    nodes: [],
    states: new Map(),
    inputs: new Map(),
    stateReads: new Map(),
    regions: new Map(),
    kernels,
    scope: '',
  };
}

/** Shape and type of an output of a node to be added. */
export interface OutputSpecification {
  readonly shape: Shape;
  readonly dtype: DataType;
}

/** Adds a node to a graph. The functions of operations.ts check shapes and call this. */
export function addNode<Name extends OperationName>(
  graph: Graph,
  operation: Name,
  attributes: OperationAttributes[Name],
  inputs: readonly Value[],
  outputs: readonly OutputSpecification[],
  after?: Value,
): readonly Value[] {
  const values: Value[] = [];
  const wait = LEAVES.has(operation) ? undefined : (after ?? graph.after);
  const node = {
    operation,
    attributes,
    inputs,
    outputs: values,
    id: graph.nodes.length,
    scope: graph.scope,
    ...(graph.block === undefined ? {} : { block: graph.block }),
    ...(wait === undefined ? {} : { after: wait }),
  } as unknown as Node;
  for (const [index, { shape, dtype }] of outputs.entries()) values.push({ graph, node, index, shape, dtype });
  graph.nodes.push(node);
  return values;
}

/** Nodes that compute nothing. */
const LEAVES: ReadonlySet<OperationName> = new Set(['input', 'constant', 'readState']);

/** Marks a value that a checkpoint policy may keep between forward and backward. Returns the value. */
export function keep(value: Value, kind: Keep): Value {
  value.keep = kind;
  return value;
}

const EFFECTS: ReadonlySet<OperationName> = new Set([
  'assignState',
  'addToState',
  'addRowsToState',
  'replaceRowsOfState',
  'moveRowsOfState',
  'clearState',
  'updateAdamW',
]);

/** True for operations that change state and compute nothing. */
export function isEffect(node: Node): boolean {
  return EFFECTS.has(node.operation);
}

/**
 * The graph as a program with the given outputs; nodes that lead to no output and no effect are left out, but for the
 * inputs that bind sizes of others.
 */
export function finishProgram(graph: Graph, outputs: Readonly<Record<string, Value>>): Program {
  const needed = new Set<Node>(Object.values(outputs).map((value) => value.node));
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    const node = graph.nodes[id]!;
    if (!needed.has(node) && !isEffect(node)) continue;
    needed.add(node);
    for (const input of node.inputs) needed.add(input.node);
    if (node.after !== undefined) needed.add(node.after.node);
  }
  for (const node of bindingInputs(graph, needed)) needed.add(node);
  const nodes = graph.nodes.filter((node) => needed.has(node));
  return {
    name: graph.name,
    nodes,
    inputs: new Map([...graph.inputs].filter(([, value]) => needed.has(value.node))),
    outputs: new Map(Object.entries(outputs)),
    states: graph.states,
  };
}

/** Inputs that no node reads, and from which alone a run learns the size of a needed value. */
function bindingInputs(graph: Graph, needed: ReadonlySet<Node>): readonly Node[] {
  const symbolsIn = (values: readonly Value[]): string[] => values.flatMap(({ shape }) => shape.flatMap(symbolsOf));
  const inputs = [...graph.inputs.values()];
  const bound = new Set(symbolsIn(inputs.filter(({ node }) => needed.has(node))));
  const used = symbolsIn([...needed].flatMap(({ outputs }) => outputs));
  const unbound = new Set(used.filter((symbol) => !bound.has(symbol)));
  return inputs
    .filter((value) => !needed.has(value.node) && symbolsIn([value]).some((symbol) => unbound.has(symbol)))
    .map(({ node }) => node);
}

/** Symbol-free size in bytes of one element. */
export function bytesOf(dtype: DataType): number {
  return { float32: 4, int32: 4, bfloat16: 2, bool: 1 }[dtype];
}
