import type { DataType } from '../../program/index.js';
import { attribute, controlEdge, type GraphWriter, type Output } from './graph-writer.js';

/** Operations on a variable that the run chooses: a few for all states, so that few parts have to be optimised. */
export interface StateAccess {
  /** Where the variable's position is fed, int32. */
  readonly position: Output;
  /** Where the shape of zeros is fed, int32. */
  readonly shape: Output;
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
  /** Exists once zeros of the fed shape were assigned. */
  readonly zeroed: Output;
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
  const shape = graph.add('Placeholder', [], { dtype: int32, shape: attribute.shape([-1]) }, 'access/shape');
  const handle = (usesGpu ? mergedHandle : gatheredHandle)(graph, handles, position);
  const hasValue = graph.add('VarIsInitializedOp', [handle], {}, 'access/hasValue');
  const values = new Map<DataType, ValueAccess>();
  for (const dtype of dtypes) values.set(dtype, writeValueAccess(graph, handle, shape, dtype));
  return { position, shape, hasValue, values };
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

function writeValueAccess(graph: GraphWriter, handle: Output, shape: Output, dtype: DataType): ValueAccess {
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
  const zero = cast(graph.constant(Int32Array.of(0), [], name('zero')), 'int32', dtype);
  const fill = { T: attribute.type(dtype), index_type: attribute.type('int32') };
  const zeros = graph.add('Fill', [shape, zero], fill, name('zeros'));
  const token = graph.constant(Int32Array.of(0), [], name('token'));
  const assign = (content: Output): Output => {
    const operation = graph.add('AssignVariableOp', [handle, content], typed, name('assign'));
    return graph.add('Identity', [token, controlEdge(operation)], { T: attribute.type('int32') }, name('assigned'));
  };
  const [assigned, zeroed] = [assign(copy), assign(zeros)];
  const stored = graph.add('ReadVariableOp', [handle], typed, name('stored'));
  return { value, assigned, zeroed, read: cast(stored, dtype, fedType) };
}
