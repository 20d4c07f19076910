import { MetaapoError } from '@metaapo/core/contracts';
import type { StateDeclaration } from '../../program/index.js';
import { attribute, type ControlEdge, controlEdge, type GraphWriter, type Output } from './graph-writer.js';
import type { ProgramWriter } from './program-writer.js';

/** The resource variables of a graph, by state. */
export interface Variables {
  handle(name: string): Output;
  declaration(name: string): StateDeclaration;
}

/** A variable for each state. `shared_name` numbers them, so that any state name will do. */
export function writeVariables(graph: GraphWriter, states: ReadonlyMap<string, StateDeclaration>): Variables {
  const handles = new Map<string, Output>();
  for (const { name, shape, dtype } of states.values()) {
    const attributes = {
      dtype: attribute.type(dtype),
      shape: attribute.shape(shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1))),
      container: attribute.text(''),
      shared_name: attribute.text(`state${handles.size}`),
    };
    handles.set(name, graph.add('VarHandleOp', [], attributes, `state/${name}`));
  }
  return { handle: (name) => handles.get(name)!, declaration: (name) => states.get(name)! };
}

/** What a program has done to a state so far. */
interface Access {
  /** Operations that the next read waits for. */
  written: readonly ControlEdge[];
  /** Reads since then, for which the next write waits. */
  reads: ControlEdge[];
  presence: Presence;
  /** Its value was taken, and the caller is to free it. */
  isSpent: boolean;
}

/** Writes the reads and effects of one program: what touches one state runs in the program's order. */
export interface StateWriter {
  /** Adds an operation that reads the variable; it may run together with other reads. */
  read(name: string, type: string, inputs?: readonly (Output | ControlEdge)[], attributes?: Attributes): Output;
  /** Adds an operation that changes the variable. */
  change(name: string, type: string, inputs: readonly (Output | ControlEdge)[], attributes?: Attributes): Output;
  /** Adds an operation that changes several variables, which are its first inputs. */
  changeTogether(
    names: readonly string[],
    type: string,
    inputs: readonly (Output | ControlEdge)[],
    attributes: Attributes,
  ): Output;
  /** Adds an operation that writes into the memory of several variables, whose values are its first inputs. */
  changeInPlace(names: readonly string[], type: string, inputs: readonly Output[]): ControlEdge;
  value(name: string): Output;
  /** Its present value, which exists once the variable is empty: a reader may work in its memory. */
  take(name: string, after?: readonly ControlEdge[]): Output;
  assign(name: string, value: Output): void;
  add(name: string, value: Output): void;
  /** Adds to rows, each named once. */
  addRows(name: string, rows: Output, indices: Output): void;
  /** Writes rows of `width` numbers into the variable's memory. */
  replaceRows(name: string, rows: Output, indices: Output, width: number): void;
  /** Copies rows of `width` numbers within the variable's memory; returns what a later move may wait for. */
  moveRows(name: string, from: Output, to: Output, width: number, after: readonly ControlEdge[]): ControlEdge;
  /** Frees the variable, which counts as zeros. */
  clear(name: string): void;
  /** Adds an operation that reads and changes several states inside. */
  call(touched: readonly TouchedState[], write: (waits: readonly ControlEdge[]) => Output): void;
  /** What is known of the state by now. */
  presenceOf(name: string): Presence;
  /** Makes sure that a state which begins as zeros has a value. */
  ensure(name: string): void;
  /** All effects so far. */
  effects(): readonly ControlEdge[];
  /** States that begin as zeros and must have a value before the program runs. */
  required(): readonly string[];
  /** Whether each state that the program changes has a value afterwards. */
  presence(): ReadonlyMap<string, boolean>;
  /** States that the caller is to free. */
  spent(): ReadonlySet<string>;
}

/** What an operation does to a state. */
export interface TouchedState {
  readonly name: string;
  readonly isChanged: boolean;
  /** The state must have a value before. */
  readonly isRequired: boolean;
  /** It has one afterwards. */
  readonly hasValue: boolean;
  /** It is left to the caller to free it. */
  readonly isSpent: boolean;
}

/** What is known of a state before anything is written: whether it has a value. */
export type Presence = 'present' | 'absent' | 'unknown';

/** How the states of a program, or of a function of one, are written. */
export interface StateWriterOptions {
  /** What is known of a state at the beginning; nothing by default. */
  readonly presence?: (name: string) => Presence;
  /** Whether XLA compiles what is written: it frees no variable, and asks of none whether it has a value. */
  readonly forXla?: boolean;
}

type Attributes = Parameters<ProgramWriter['add']>[2];

/** A writer of state for a program, or for a function of one. */
export function createStateWriter(
  writer: ProgramWriter,
  variables: Variables,
  { presence = () => 'unknown', forXla = false }: StateWriterOptions = {},
): StateWriter {
  const accesses = new Map<string, Access>();
  const required = new Set<string>();
  const accessOf = (name: string): Access => {
    const known = accesses.get(name) ?? { written: [], reads: [], presence: presence(name), isSpent: false };
    accesses.set(name, known);
    return known;
  };
  const dtypeOf = (name: string) => attribute.type(variables.declaration(name).dtype);
  const before = ({ written, reads }: Access): ControlEdge[] => [...written, ...reads];
  const wrote = (access: Access, edge: ControlEdge): void => {
    access.written = [edge];
    access.reads = [];
    access.presence = 'present';
  };
  const onVariable = (name: string, type: string, inputs: readonly (Output | ControlEdge)[], attributes?: Attributes) =>
    writer.add(type, [variables.handle(name), ...inputs], attributes ?? { dtype: dtypeOf(name) });
  /** The variable's own memory, not a copy of it, as rows of `width` numbers. */
  const rowsOf = (name: string, width: number, after: readonly ControlEdge[] = []): Output => {
    const value = states.read(name, 'ReadVariableOp', after);
    const attributes = { T: dtypeOf(name), Tshape: attribute.type('int32') };
    return writer.add('Reshape', [value, writer.integers([-1, width])], attributes);
  };
  const writeInPlace = (name: string, all: Output, rows: Output, indices: Output): void => {
    const operation = writer.hasKernels ? 'MetaapoWriteRows' : 'InplaceUpdate';
    const written = writer.add(operation, [all, indices, rows], { T: dtypeOf(name) });
    wrote(accessOf(name), controlEdge(written));
  };
  /** The value with these rows, assigned: XLA writes them into the memory of a variable that it is given to keep. */
  const scatter = (name: string, all: Output, rows: Output, indices: Output): void => {
    const [T, int32] = [dtypeOf(name), attribute.type('int32')];
    const places = writer.add('Reshape', [indices, writer.integers([-1, 1])], { T: int32, Tshape: int32 });
    const updated = writer.add('TensorScatterUpdate', [all, places, rows], { T, Tindices: int32 });
    const shape = writer.shape(variables.declaration(name).shape);
    states.assign(name, writer.add('Reshape', [updated, shape], { T, Tshape: int32 }));
  };
  const writeRows = forXla ? scatter : writeInPlace;

  const states: StateWriter = {
    read(name, type, inputs = [], attributes) {
      states.ensure(name);
      const access = accessOf(name);
      const output = onVariable(name, type, [...inputs, ...access.written], attributes);
      access.reads.push(controlEdge(output));
      access.presence = 'present';
      return output;
    },
    change(name, type, inputs, attributes) {
      const access = accessOf(name);
      if (access.isSpent) throw new MetaapoError('internal', 'a state is changed where it was taken', { where: name });
      const operation = onVariable(name, type, [...inputs, ...before(access)], attributes);
      wrote(access, controlEdge(operation));
      return operation;
    },
    changeTogether(names, type, inputs, attributes) {
      const waits = names.flatMap((name) => before(accessOf(name)));
      const handles = names.map(variables.handle);
      const output = writer.add(type, [...handles, ...inputs, ...waits], attributes);
      for (const name of names) wrote(accessOf(name), controlEdge(output));
      return output;
    },
    changeInPlace(names, type, inputs) {
      const values = names.map((name) => onVariable(name, 'ReadVariableOp', before(accessOf(name))));
      const edge = controlEdge(writer.add(type, [...values, ...inputs]));
      for (const name of names) wrote(accessOf(name), edge);
      return edge;
    },
    value: (name) => states.read(name, 'ReadVariableOp'),
    take(name, after = []) {
      const access = accessOf(name);
      const output = onVariable(name, 'ReadVariableOp', [...access.written, ...after]);
      access.reads.push(controlEdge(output));
      states.clear(name);
      if (forXla) return output;
      return writer.add('Identity', [output, ...access.written], { T: dtypeOf(name) });
    },
    assign(name, value) {
      states.change(name, 'AssignVariableOp', [value]);
    },
    add(name, value) {
      const access = accessOf(name);
      if (forXla && access.presence === 'unknown') states.ensure(name);
      if (access.presence === 'present') states.change(name, 'AssignAddVariableOp', [value]);
      else if (access.presence === 'absent') states.assign(name, value);
      else wrote(access, addOrAssign(writer, variables, name, value, before(access)));
    },
    addRows(name, rows, indices) {
      states.ensure(name);
      const Tindices = attribute.type('int32');
      states.change(name, 'ResourceScatterAdd', [indices, rows], { dtype: dtypeOf(name), Tindices });
    },
    replaceRows(name, rows, indices, width) {
      writeRows(name, rowsOf(name, width), rows, indices);
    },
    moveRows(name, from, to, width, after) {
      const all = rowsOf(name, width, after);
      const attributes = { Tparams: dtypeOf(name), Tindices: attribute.type('int32'), Taxis: attribute.type('int32') };
      writeRows(name, all, writer.add('GatherV2', [all, from, writer.integer(0)], attributes), to);
      return accessOf(name).written[0]!;
    },
    clear(name) {
      if (forXla) accessOf(name).isSpent = true;
      else states.change(name, 'DestroyResourceOp', [], { ignore_lookup_error: attribute.boolean(true) });
      accessOf(name).presence = 'absent';
    },
    call(touched, write) {
      for (const { name, isRequired } of touched) if (isRequired) states.ensure(name);
      const waits = touched.flatMap(({ name, isChanged }) => {
        const access = accessOf(name);
        return isChanged ? before(access) : access.written;
      });
      const edge = controlEdge(write(waits));
      for (const { name, isChanged, hasValue } of touched) {
        const access = accessOf(name);
        if (isChanged) wrote(access, edge);
        else access.reads.push(edge);
        access.presence = hasValue ? 'present' : 'absent';
      }
      for (const { name, isSpent } of touched) if (isSpent) states.clear(name);
    },
    presenceOf: (name) => accessOf(name).presence,
    ensure(name) {
      const access = accessOf(name);
      if (access.presence === 'present' || variables.declaration(name).initially === 'empty') return;
      if (access.presence === 'unknown') required.add(name);
      else states.assign(name, zerosFor(writer, variables.declaration(name)));
      access.presence = 'present';
    },
    effects: () => [...accesses.values()].flatMap(before),
    required: () => [...required],
    presence: () =>
      new Map(
        [...accesses]
          .filter(([, { written, isSpent }]) => written.length > 0 || isSpent)
          .map(([name, access]) => [name, access.presence === 'present']),
      ),
    spent: () => new Set([...accesses].flatMap(([name, { isSpent }]) => (isSpent ? [name] : []))),
  };
  return states;
}

/**
 * Adds where the variable has a value; else the addend becomes the value itself: no zeros are made, and nothing is added
 * or copied.
 * @returns the edge that waits for the branch that ran
 */
function addOrAssign(
  writer: ProgramWriter,
  variables: Variables,
  name: string,
  value: Output,
  after: readonly ControlEdge[],
): ControlEdge {
  const handle = variables.handle(name);
  const dtype = attribute.type(variables.declaration(name).dtype);
  const hasValue = writer.add('VarIsInitializedOp', [handle, ...after, controlEdge(value)]);
  const branch = writer.add('Switch', [value, hasValue], { T: dtype });
  const assigned = writer.add('AssignVariableOp', [handle, branch], { dtype });
  const added = writer.add('AssignAddVariableOp', [handle, `${branch}:1`], { dtype });
  const T = attribute.type('int32');
  const token = writer.add('Switch', [writer.integer(0), hasValue], { T });
  const onFalse = writer.add('Identity', [token, controlEdge(assigned)], { T });
  const onTrue = writer.add('Identity', [`${token}:1`, controlEdge(added)], { T });
  return controlEdge(writer.add('Merge', [onFalse, onTrue], { T, N: attribute.integer(2) }));
}

function zerosFor(writer: ProgramWriter, { dtype, shape }: StateDeclaration): Output {
  const zero = writer.cast(writer.integer(0), 'int32', dtype);
  return writer.add('Fill', [writer.shape(shape), zero], {
    T: attribute.type(dtype),
    index_type: attribute.type('int32'),
  });
}
