import type { Node, Program, Value } from '../../program/index.js';
import type { Launch } from './compilations.js';
import { attribute, type ControlEdge, type Output } from './graph-writer.js';
import type { ProgramWriter } from './program-writer.js';
import type { StateWriter } from './state-writer.js';
import { writeAdamW } from './write-adamw.js';
import { operands, TRANSLATIONS } from './write-operations.js';

/** What the nodes of a program, or of a function, are written with. */
export interface NodeContext {
  readonly writer: ProgramWriter;
  readonly states: StateWriter;
  /** See {@link readsOfRowsOnly}. */
  readonly rowReads: ReadonlySet<Node>;
  /** Whether XLA compiles what is written. */
  readonly forXla: boolean;
  /** The functions that have been called. */
  readonly launches: Launch[];
  /** The last update of a parameter or move of rows, for which the next one waits. */
  updates: readonly ControlEdge[];
}

/** Writes a node. */
export function writeNode(node: Node, context: NodeContext): void {
  const { writer } = context;
  writer.enter(node);
  const outputs = outputsOf(node, context);
  for (const [index, value] of node.outputs.entries()) {
    const output = outputs[index];
    if (output !== undefined) writer.set(value, output);
  }
}

function outputsOf(node: Node, context: NodeContext): readonly (Output | undefined)[] {
  const { writer, states, rowReads, forXla } = context;
  switch (node.operation) {
    case 'input': {
      const { dtype, shape } = node.outputs[0]!;
      const sizes = shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
      return [writer.add('Placeholder', [], { dtype: attribute.type(dtype), shape: attribute.shape(sizes) })];
    }
    case 'readState':
      return [rowReads.has(node) ? undefined : states.value(node.attributes.state)];
    case 'takeState':
      return [states.take(node.attributes.state)];
    case 'assignState':
      states.assign(node.attributes.state, ownedBySession(context, node.inputs[0]!));
      return [];
    case 'addToState':
      states.add(node.attributes.state, ownedBySession(context, node.inputs[0]!));
      return [];
    case 'addRowsToState': {
      const [rows, indices] = operands(writer, node) as [Output, Output];
      states.addRows(
        node.attributes.state,
        ...(forXla ? ([rows, indices] as const) : sumsByRow(writer, rows, indices)),
      );
      return [];
    }
    case 'replaceRowsOfState': {
      const [rows, indices] = operands(writer, node) as [Output, Output];
      states.replaceRows(node.attributes.state, rows, indices, node.inputs[0]!.shape[1] as number);
      return [];
    }
    case 'moveRowsOfState': {
      const { state, width } = node.attributes;
      const [from, to] = operands(writer, node) as [Output, Output];
      context.updates = [states.moveRows(state, from, to, width, context.updates)];
      return [];
    }
    case 'clearState':
      states.clear(node.attributes.state);
      return [];
    case 'updateAdamW':
      context.updates = [writeAdamW(writer, states, node, context.updates)];
      return [];
    case 'gather': {
      const [source, indices] = node.inputs as readonly [Value, Value];
      if (source.node.operation !== 'readState' || !rowReads.has(source.node)) break;
      const attributes = { dtype: attribute.type(source.dtype), Tindices: attribute.type('int32') };
      return [states.read(source.node.attributes.state, 'ResourceGather', [writer.get(indices)], attributes)];
    }
  }
  return TRANSLATIONS[node.operation]!(writer, node);
}

/**
 * What is to be added to each row once, and these rows: TensorFlow adds many rows to one in no certain order, but sums
 * them up in a certain one.
 */
function sumsByRow(writer: ProgramWriter, rows: Output, indices: Output): [Output, Output] {
  const int32 = attribute.type('int32');
  const float32 = attribute.type('float32');
  const distinct = writer.add('Unique', [indices], { T: int32, out_idx: int32 });
  const count = writer.add('Size', [distinct], { T: int32, out_type: int32 });
  const attributes = { T: float32, Tindices: int32, Tnumsegments: int32 };
  return [writer.add('UnsortedSegmentSum', [rows, `${distinct}:1`, count], attributes), distinct];
}

/** Operations whose result may be the very memory of their input. */
const PASSING_ON: ReadonlySet<Node['operation']> = new Set([
  'reshape',
  'transpose',
  'broadcastTo',
  'split',
  'concat',
  'cast',
  'sum',
]);

/** Whether the value may lie in the memory of a fed tensor. */
export function isFedMemory(value: Value): boolean {
  const { operation, inputs } = value.node;
  return operation === 'input' || (PASSING_ON.has(operation) && inputs.some(isFedMemory));
}

/** The value, copied where it may be the memory of a fed tensor, which ends with the run. What XLA computes is its own. */
function ownedBySession({ writer, forXla }: NodeContext, value: Value): Output {
  const output = writer.get(value);
  return !forXla && isFedMemory(value) ? writer.add('DeepCopy', [output], { T: attribute.type(value.dtype) }) : output;
}

/**
 * Reads of states to which this program adds rows and of which it looks up rows alone: the rows are taken from the
 * variable, and no value of its size is made. Other states are read as a whole, which costs nothing: a variable whose
 * rows are looked up in place is copied by every other read from then on.
 */
export function readsOfRowsOnly(program: Program): ReadonlySet<Node> {
  const grown = new Set(
    program.nodes.flatMap((node) => (node.operation === 'addRowsToState' ? [node.attributes.state] : [])),
  );
  const candidates = new Set<Node>(
    program.nodes.filter((node) => node.operation === 'readState' && grown.has(node.attributes.state)),
  );
  for (const value of program.outputs.values()) candidates.delete(value.node);
  const changed = new Set<string>();
  for (const node of program.nodes) {
    const { operation, inputs, after } = node;
    if (after !== undefined) candidates.delete(after.node);
    for (const [index, value] of inputs.entries()) {
      const source = value.node;
      if (source.operation !== 'readState') continue;
      const isRowRead = operation === 'gather' && index === 0 && !changed.has(source.attributes.state);
      if (!isRowRead) candidates.delete(source);
    }
    for (const state of changedStates(node)) changed.add(state);
    if (operation === 'readState') changed.delete(node.attributes.state);
  }
  return candidates;
}

/** States that a node changes. */
export function changedStates({ operation, attributes }: Node): readonly string[] {
  if (operation === 'updateAdamW') {
    return [attributes.parameter, attributes.gradient, attributes.firstMoment, attributes.secondMoment];
  }
  return operation !== 'readState' && 'state' in attributes ? [attributes.state] : [];
}
