import { MetaapoError } from '@metaapo/core/contracts';
import type { DataType, Dimension, Node, Program, Shape, Value } from '../../program/index.js';
import { coefficientOf, symbolsOf } from '../../program/index.js';
import {
  type Attribute,
  attribute,
  type ControlEdge,
  controlEdge,
  type GraphWriter,
  type Output,
} from './graph-writer.js';

/** Writes the operations of one program; everything it names begins with the program's name. */
export interface ProgramWriter {
  readonly program: Program;
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
  get(value: Value): Output;
  set(value: Value, output: Output): void;
  /** The output in another type; what was bfloat16 before is not converted to and fro. */
  cast(output: Output, from: DataType, to: DataType): Output;
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
  const outputs = new Map<Value, Output>();
  const sizes = new Map<Dimension, Output>();
  const shapes = new Map<string, Output>();
  const widened = new Map<Output, Output>();
  const symbols = inputSymbols(program);
  const unbound = (symbol: string): never => {
    throw new MetaapoError('internal', 'no input has this dimension', { where: name, got: symbol });
  };
  let name = prefix;
  let waitFor: readonly ControlEdge[] = [];
  const int32 = attribute.type('int32');
  const placeholder =
    symbols.length === 0
      ? undefined
      : graph.add(
          'Placeholder',
          [],
          { dtype: int32, shape: attribute.shape([symbols.length]) },
          `${prefix}/dimensions`,
        );
  if (placeholder !== undefined) {
    const unpacked = graph.add(
      'Unpack',
      [placeholder],
      { T: int32, num: attribute.integer(symbols.length), axis: attribute.integer(0) },
      `${prefix}/dimension`,
    );
    for (const [index, symbol] of symbols.entries()) sizes.set(symbol, index === 0 ? unpacked : `${unpacked}:${index}`);
  }
  const writer: ProgramWriter = {
    program,
    add: (type, inputs, attributes = {}) => graph.add(type, [...inputs, ...waitFor], attributes, name),
    enter(node) {
      name = [prefix, ...(node.scope === '' ? [] : [node.scope]), `${node.operation}_${node.id}`].join('/');
      waitFor = node.after === undefined ? [] : [controlEdge(writer.get(node.after))];
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
      const factors = symbolsOf(dimension).map((symbol) => sizes.get(symbol) ?? unbound(symbol));
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
    get: (value) => outputs.get(value)!,
    set: (value, output) => void outputs.set(value, output),
    cast(output, from, to) {
      if (from === to) return output;
      const exact = to === 'bfloat16' ? widened.get(output) : undefined;
      if (exact !== undefined) return exact;
      const result = writer.add('Cast', [output], { SrcT: attribute.type(from), DstT: attribute.type(to) });
      if (from === 'bfloat16') widened.set(result, output);
      return result;
    },
  };
  return { writer, dimensions: placeholder === undefined ? undefined : { symbols, placeholder } };
}

function inputSymbols(program: Program): readonly string[] {
  const symbols = new Set<string>();
  for (const { shape } of program.inputs.values()) {
    for (const dimension of shape) for (const symbol of symbolsOf(dimension)) symbols.add(symbol);
  }
  return [...symbols].sort();
}
