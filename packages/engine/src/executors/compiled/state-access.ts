import { type DataType, evaluateShape } from '../../program/index.js';
import { attribute, controlEdge, type GraphWriter, type Output } from './graph-writer.js';
import type { Variables } from './state-writer.js';

/** Operations on a variable that the run chooses: a few for all states, so that few parts have to be optimised. */
export interface StateAccess {
  /** Where the variable's position is fed, int32. */
  readonly position: Output;
  /** bool: whether the variable has a value. */
  readonly hasValue: Output;
  /** By element type. */
  readonly values: ReadonlyMap<DataType, ValueAccess>;
}

/** Reading and writing variables of one element type. */
export interface ValueAccess {
  /** Where the new value is fed. */
  readonly value: Output;
  /** Exists once the fed value was assigned. */
  readonly assigned: Output;
  /** The present value. */
  readonly read: Output;
}

/** Writes the operations that read and write single variables of the given element types. */
export function writeStateAccess(
  graph: GraphWriter,
  handles: readonly Output[],
  dtypes: ReadonlySet<DataType>,
  usesGpu: boolean,
): StateAccess {
  const int32 = attribute.type('int32');
  const position = graph.add('Placeholder', [], { dtype: int32, shape: attribute.shape([]) }, 'access/position');
  const handle = (usesGpu ? mergedHandle : gatheredHandle)(graph, handles, position);
  const hasValue = graph.add('VarIsInitializedOp', [handle], {}, 'access/hasValue');
  const values = new Map<DataType, ValueAccess>();
  for (const dtype of dtypes) values.set(dtype, writeValueAccess(graph, handle, dtype));
  return { position, hasValue, values };
}

/** The handle at a position, looked up among all. */
function gatheredHandle(graph: GraphWriter, handles: readonly Output[], position: Output): Output {
  const [int32, resource] = [attribute.type('int32'), attribute.type('resource')];
  const packed = { T: resource, N: attribute.integer(handles.length), axis: attribute.integer(0) };
  const all = graph.add('Pack', handles, packed, 'access/handles');
  const axis = graph.constant(Int32Array.of(0), [], 'access');
  return graph.add(
    'GatherV2',
    [all, position, axis],
    { Tparams: resource, Tindices: int32, Taxis: int32 },
    'access/handle',
  );
}

/**
 * The same out of operations that a GPU has for handles: a variable is where every operation that takes its handle can be,
 * and a lookup can be on the CPU only. It takes longer, with three operations a state in every run.
 */
function mergedHandle(graph: GraphWriter, handles: readonly Output[], position: Output): Output {
  const [int32, resource] = [attribute.type('int32'), attribute.type('resource')];
  const candidates = handles.map((handle, index): Output => {
    const own = graph.constant(Int32Array.of(index), [], 'access');
    const isIt = graph.add('Equal', [position, own], { T: int32 }, 'access/isIt');
    return `${graph.add('Switch', [handle, isIt], { T: resource }, 'access/candidate')}:1`;
  });
  return graph.add('Merge', candidates, { T: resource, N: attribute.integer(handles.length) }, 'access/handle');
}

function writeValueAccess(graph: GraphWriter, handle: Output, dtype: DataType): ValueAccess {
  const fedType = dtype === 'bfloat16' ? 'float32' : dtype;
  const name = (part: string): string => `access/${dtype}/${part}`;
  const cast = (output: Output, from: DataType, to: DataType): Output =>
    from === to
      ? output
      : graph.add('Cast', [output], { SrcT: attribute.type(from), DstT: attribute.type(to) }, name('cast'));
  const fed = { dtype: attribute.type(fedType), shape: attribute.shape(undefined) };
  const value = graph.add('Placeholder', [], fed, name('value'));
  // A copy: the fed numbers are the caller's memory.
  const copy = graph.add('DeepCopy', [cast(value, fedType, dtype)], { T: attribute.type(dtype) }, name('copy'));
  const typed = { dtype: attribute.type(dtype) };
  const operation = graph.add('AssignVariableOp', [handle, copy], typed, name('assign'));
  const token = graph.constant(Int32Array.of(0), [], name('token'));
  const int32 = attribute.type('int32');
  const assigned = graph.add('Identity', [token, controlEdge(operation)], { T: int32 }, name('assigned'));
  const stored = graph.add('ReadVariableOp', [handle], typed, name('stored'));
  return { value, assigned, read: cast(stored, dtype, fedType) };
}

/** Operations that make states zero, all of them in one run where they are wanted. */
export interface ZeroAccess {
  /** Where zero is fed, float32: of a constant, constants of the states' sizes would be made, and kept. */
  readonly zero: Output;
  /** By state: exists once it is zero. */
  readonly zeroed: ReadonlyMap<string, Output>;
}

/** Writes the operations that make these states zero. */
export function writeZeros(graph: GraphWriter, variables: Variables, names: Iterable<string>): ZeroAccess {
  const [int32, float32] = [attribute.type('int32'), attribute.type('float32')];
  const zero = graph.add('Placeholder', [], { dtype: float32, shape: attribute.shape([]) }, 'zeros/zero');
  const token = graph.constant(Int32Array.of(0), [], 'zeros');
  const zeroed = new Map<string, Output>();
  for (const state of names) {
    const { shape, dtype } = variables.declaration(state);
    const [T, name] = [attribute.type(dtype), `zeros/${state}`];
    const own = dtype === 'float32' ? zero : graph.add('Cast', [zero], { SrcT: float32, DstT: T }, name);
    const size = Int32Array.from(evaluateShape(shape, {}));
    const sizes = graph.constant(size, [size.length], 'zeros');
    // The attribute keeps operations apart that are otherwise equal: they would be merged, and states share their memory.
    const attributes = { T, index_type: int32, _state: attribute.text(state) };
    const zeros = graph.add('Fill', [sizes, own], attributes, name);
    const operation = graph.add('AssignVariableOp', [variables.handle(state), zeros], { dtype: T }, name);
    zeroed.set(state, graph.add('Identity', [token, controlEdge(operation)], { T: int32 }, name));
  }
  return { zero, zeroed };
}
