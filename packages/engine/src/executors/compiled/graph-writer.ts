import type { DataType } from '../../program/index.js';
import { createByteBlocks } from './byte-blocks.js';
import { bytesField, floatField, integerField, messageField, textField } from './message-fields.js';

/** TensorFlow's numbers of element types (types.proto). */
export const TENSORFLOW_TYPES: Readonly<Record<DataType | 'resource', number>> = {
  float32: 1,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  resource: 20,
};

/** What an operation computes: a node's name, with `:k` for outputs other than the first. */
export type Output = string;
/** An edge that orders two operations and carries nothing: `^node`. */
export type ControlEdge = `^${string}`;

/** The edge that waits for the operation behind an output. */
export function controlEdge(output: Output): ControlEdge {
  return `^${output.split(':')[0]!}`;
}

/** The bytes of an attribute's value (attr_value.proto). */
export type Attribute = Uint8Array;

/** Values of operation attributes. */
export const attribute = {
  text: (value: string): Attribute => textField(2, value),
  integer: (value: number): Attribute => integerField(3, value),
  float: (value: number): Attribute => floatField(4, value),
  boolean: (value: boolean): Attribute => integerField(5, value ? 1 : 0),
  type: (dtype: DataType | 'resource'): Attribute => integerField(6, TENSORFLOW_TYPES[dtype]),
  types: (dtypes: readonly (DataType | 'resource')[]): Attribute =>
    messageField(1, ...dtypes.map((dtype) => integerField(6, TENSORFLOW_TYPES[dtype]))),
  function: (name: string): Attribute => messageField(10, textField(1, name)),
  /** Unknown sizes are -1; `undefined` is an unknown rank. */
  shape: (sizes: readonly number[] | undefined): Attribute => messageField(7, shapeMessage(sizes)),
  tensor: (data: Float32Array | Int32Array, shape: readonly number[]): Attribute =>
    messageField(
      8,
      integerField(1, TENSORFLOW_TYPES[data instanceof Float32Array ? 'float32' : 'int32']),
      messageField(2, shapeMessage(shape)),
      bytesField(4, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ),
};

function shapeMessage(sizes: readonly number[] | undefined): Uint8Array {
  if (sizes === undefined) return integerField(3, 1);
  return Buffer.concat(sizes.map((size) => messageField(2, integerField(1, size))));
}

/** Writes operations into a graph, or into a function of one. */
export interface OperationWriter {
  /** Whether the runtime has the operations of the fused kernels. */
  readonly hasKernels: boolean;
  /**
   * Adds an operation.
   * @param name wished name; a number is appended where it is taken
   * @returns its first output
   */
  add(
    type: string,
    inputs: readonly (Output | ControlEdge)[],
    attributes: Readonly<Record<string, Attribute>>,
    name: string,
  ): Output;
  /** The constant of these numbers; equal ones under one prefix are written once. */
  constant(data: Float32Array | Int32Array, shape: readonly number[], prefix: string): Output;
  /** How many of the operations so far compute, rather than name, hold or rename something. */
  operations(): number;
}

const COMPUTING_NOTHING: ReadonlySet<string> = new Set([
  ...['Const', 'Placeholder', 'Identity', 'Reshape', 'Switch', 'Merge', 'Pack', 'Unpack'],
  ...['VarHandleOp', 'ReadVariableOp', 'VarIsInitializedOp', 'DestroyResourceOp'],
]);

/** A TensorFlow graph while it is written. */
export interface GraphWriter extends OperationWriter {
  /** Adds a function to the graph's library (function.proto). */
  define(definition: Uint8Array): void;
  /** The bytes of a SavedModel of the graph (saved_model.proto), with the tag `serve` and no signatures. */
  savedModel(): Buffer;
}

/** The producer version of graphs whose operations behave as those of TensorFlow 2.9 and later. */
const GRAPH_VERSION = 1087;

/**
 * An empty graph.
 * @param hasKernels whether the runtime has the operations of the fused kernels
 */
export function createGraphWriter(hasKernels = false): GraphWriter {
  const nodes = createNodeWriter(1, (output) => output, hasKernels);
  const functions: Uint8Array[] = [];
  return {
    ...nodes.writer,
    define: (definition) => void functions.push(messageField(1, definition)),
    savedModel() {
      const library = messageField(2, ...functions);
      const graph = Buffer.concat([...nodes.blocks(), messageField(4, integerField(1, GRAPH_VERSION)), library]);
      const information = messageField(1, textField(4, 'serve'));
      return Buffer.concat([integerField(1, 1), messageField(2, information, bytesField(2, graph))]);
    },
  };
}

/** The nodes of a graph or of a function (node_def.proto). */
export interface NodeWriter {
  readonly writer: OperationWriter;
  blocks(): readonly Uint8Array[];
}

const SHARED_CONSTANT_BYTES = 64;

/**
 * No nodes yet.
 * @param field number of the field that holds a node
 * @param reference how an input names the output of another node
 */
export function createNodeWriter(
  field: number,
  reference: (output: Output) => string,
  hasKernels: boolean,
): NodeWriter {
  // Tens of thousands of nodes: one by one they would each pin a piece of the heap.
  const nodes = createByteBlocks();
  const uses = new Map<string, number>();
  const constants = new Map<string, Output>();
  let computing = 0;
  const uniqueName = (wished: string): string => {
    const name = wished.replace(/[^A-Za-z0-9_./-]/g, '_').replace(/^[^A-Za-z0-9.]/, 'n');
    const count = uses.get(name) ?? 0;
    uses.set(name, count + 1);
    return count === 0 ? name : uniqueName(`${name}.${count}`);
  };
  const add: OperationWriter['add'] = (type, inputs, attributes, wished) => {
    const name = uniqueName(wished);
    if (!COMPUTING_NOTHING.has(type)) computing += 1;
    const data = inputs.filter((input) => !input.startsWith('^')).map(reference);
    const controls = new Set(inputs.filter((input) => input.startsWith('^')));
    nodes.append(
      messageField(
        field,
        textField(1, name),
        textField(2, type),
        ...[...data, ...controls].map((input) => textField(3, input)),
        ...Object.entries(attributes).map(([key, value]) => messageField(5, textField(1, key), bytesField(2, value))),
      ),
    );
    return name;
  };
  const constant: OperationWriter['constant'] = (data, shape, prefix) => {
    const kind = data instanceof Float32Array ? 'float32' : 'int32';
    const write = (): Output =>
      add('Const', [], { dtype: attribute.type(kind), value: attribute.tensor(data, shape) }, `${prefix}/constant`);
    if (data.byteLength > SHARED_CONSTANT_BYTES) return write();
    const key = `${prefix} ${kind} [${shape}] ${data}`;
    const known = constants.get(key) ?? write();
    constants.set(key, known);
    return known;
  };
  return { writer: { add, constant, hasKernels, operations: () => computing }, blocks: nodes.blocks };
}
