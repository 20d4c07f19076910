import { MetaapoError } from '@metaapo/core/contracts';
import type { DataType, Dimension, Node, Program, Shape, Value } from '../../program/index.js';
import { coefficientOf, symbolsOf } from '../../program/index.js';
import {
  type Attribute,
  attribute,
  type ControlEdge,
  controlEdge,
  type GraphWriter,
  type OperationWriter,
  type Output,
} from './graph-writer.js';

/** Writes the nodes of a program, or of one of its blocks; everything it names begins with one name. */
export interface ProgramWriter {
  /** See {@link OperationWriter.hasKernels}. */
  readonly hasKernels: boolean;
  /** Adds an operation that belongs to the node being written, see {@link ProgramWriter.enter}. */
  add(
    type: string,
    inputs: readonly (Output | ControlEdge)[],
    attributes?: Readonly<Record<string, Attribute>>,
  ): Output;
  /** Names the operations to come after a node, and lets them wait for what the node waits for. */
  enter(node: Node): void;
  constant(data: Float32Array | Int32Array, shape: readonly number[]): Output;
  integers(values: readonly number[]): Output;
  integer(value: number): Output;
  float(value: number): Output;
  /** int32 scalar. */
  dimension(dimension: Dimension): Output;
  /** int32 vector. */
  shape(shape: Shape): Output;
  /** Whether {@link ProgramWriter.get} gives the value: it does not exist where another operation has it inside. */
  has(value: Value): boolean;
  get(value: Value): Output;
  set(value: Value, output: Output): void;
  /** The value is computed inside an operation, which does not give it. */
  conceal(value: Value, inside: Output): void;
  /** Edges that wait for the value; none for an argument of a function, for which the call has waited. */
  waitsFor(value: Value): readonly ControlEdge[];
  /** The output in another type; what was bfloat16 before is not converted to and fro. */
  cast(output: Output, from: DataType, to: DataType): Output;
  /** The bfloat16 output that a float32 one is a cast of. */
  narrow(output: Output): Output | undefined;
}

/** Symbols that the operations of a program ask for, in the order of the vector that a run feeds. */
export interface DimensionFeed {
  readonly symbols: readonly string[];
  readonly placeholder: Output;
}

/** A writer for a program, with the input that carries the sizes of its symbols. */
export function createProgramWriter(
  graph: GraphWriter,
  prefix: string,
  program: Program,
): { readonly writer: ProgramWriter; readonly dimensions: DimensionFeed | undefined } {
  const symbols = inputSymbols(program);
  if (symbols.length === 0)
    return { writer: createWriter(graph, prefix, unbound(program.name)), dimensions: undefined };
  const dtype = attribute.type('int32');
  const attributes = { dtype, shape: attribute.shape([symbols.length]) };
  const placeholder = graph.add('Placeholder', [], attributes, `${prefix}/dimensions`);
  const unpacking = { T: dtype, num: attribute.integer(symbols.length), axis: attribute.integer(0) };
  const unpacked = graph.add('Unpack', [placeholder], unpacking, `${prefix}/dimension`);
  const sizes = new Map(symbols.map((symbol, index) => [symbol, index === 0 ? unpacked : `${unpacked}:${index}`]));
  const sizeOf = (symbol: string): Output => sizes.get(symbol) ?? unbound(program.name)(symbol);
  return { writer: createWriter(graph, prefix, sizeOf), dimensions: { symbols, placeholder } };
}

const unbound =
  (where: string) =>
  (symbol: string): never => {
    throw new MetaapoError('internal', 'no input has this dimension', { where, got: symbol });
  };

/** Where the values of a function come from that are not its own. */
export interface FunctionArguments {
  /** The value as an argument; undefined where the function does not get it. */
  value(value: Value): Output | undefined;
  size(symbol: string): Output;
}

/** A writer for the body of a function. */
export function createFunctionBodyWriter(
  body: OperationWriter,
  prefix: string,
  given: FunctionArguments,
): ProgramWriter {
  return createWriter(body, prefix, given.size, given.value);
}

function createWriter(
  graph: OperationWriter,
  prefix: string,
  sizeOf: (symbol: string) => Output,
  argumentOf: FunctionArguments['value'] = () => undefined,
): ProgramWriter {
  const outputs = new Map<Value, Output>();
  const concealed = new Map<Value, Output>();
  const sizes = new Map<Dimension, Output>();
  const shapes = new Map<string, Output>();
  const widened = new Map<Output, Output>();
  let name = prefix;
  let waits: readonly ControlEdge[] = [];
  const int32 = attribute.type('int32');
  const find = (value: Value): Output | undefined => outputs.get(value) ?? argumentOf(value);
  const writer: ProgramWriter = {
    hasKernels: graph.hasKernels,
    add: (type, inputs, attributes = {}) => graph.add(type, [...inputs, ...waits], attributes, name),
    enter(node) {
      name = [prefix, ...(node.scope === '' ? [] : [node.scope]), `${node.operation}_${node.id}`].join('/');
      waits = node.after === undefined ? [] : writer.waitsFor(node.after);
    },
    constant: (data, shape) => graph.constant(data, shape, prefix),
    integers: (values) => graph.constant(Int32Array.from(values), [values.length], prefix),
    integer: (value) => graph.constant(Int32Array.of(value), [], prefix),
    float: (value) => graph.constant(Float32Array.of(value), [], prefix),
    dimension(dimension) {
      if (typeof dimension === 'number') return writer.integer(dimension);
      const known = sizes.get(dimension);
      if (known !== undefined) return known;
      const coefficient = coefficientOf(dimension);
      const factors = symbolsOf(dimension).map(sizeOf);
      if (coefficient !== 1) factors.unshift(writer.integer(coefficient));
      const size = factors.reduce((a, b) => graph.add('Mul', [a, b], { T: int32 }, `${prefix}/dimension`));
      sizes.set(dimension, size);
      return size;
    },
    shape(shape) {
      if (shape.every((dimension) => typeof dimension === 'number')) return writer.integers(shape);
      const known = shapes.get(shape.join());
      if (known !== undefined) return known;
      const parts = shape.map((dimension) => writer.dimension(dimension));
      const attributes = { T: int32, N: attribute.integer(parts.length), axis: attribute.integer(0) };
      const packed = graph.add('Pack', parts, attributes, `${prefix}/shape`);
      shapes.set(shape.join(), packed);
      return packed;
    },
    has: (value) => find(value) !== undefined,
    get(value) {
      const output = find(value);
      if (output !== undefined) return output;
      throw new MetaapoError('internal', 'the value is not computed before it is read', { where: name });
    },
    set: (value, output) => void outputs.set(value, output),
    conceal: (value, inside) => void concealed.set(value, inside),
    waitsFor(value) {
      const output = outputs.get(value) ?? concealed.get(value);
      return output === undefined ? [] : [controlEdge(output)];
    },
    cast(output, from, to) {
      if (from === to) return output;
      const exact = to === 'bfloat16' ? widened.get(output) : undefined;
      if (exact !== undefined) return exact;
      const [X, Y] = [attribute.type(from), attribute.type(to)];
      const result =
        graph.hasKernels && isFloat(from) && isFloat(to)
          ? writer.add('MetaapoCast', [output], { X, Y })
          : writer.add('Cast', [output], { SrcT: X, DstT: Y });
      if (from === 'bfloat16') widened.set(result, output);
      return result;
    },
    narrow: (output) => widened.get(output),
  };
  return writer;
}

const isFloat = (dtype: DataType): boolean => dtype === 'float32' || dtype === 'bfloat16';

function inputSymbols(program: Program): readonly string[] {
  const symbols = new Set<string>();
  for (const { shape } of program.inputs.values()) {
    for (const dimension of shape) for (const symbol of symbolsOf(dimension)) symbols.add(symbol);
  }
  return [...symbols].sort();
}
