import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { fusedKernels } from '../../backends/fused-kernels.js';
import { type DimensionBindings, evaluateShape, type Program, type StateDeclaration } from '../../program/index.js';
import { collectGarbage } from '../collect-garbage.js';
import { bindDimensions } from '../eager/session.js';
import { carrierOf, type FedTensor, type ProgramSet, type Session, statesOf } from '../session.js';
import { createCompilationCounter } from './compilations.js';
import { createGraphWriter, type Output } from './graph-writer.js';
import { backendUsesGpu, loadNativeSession, type NativeSession } from './native-sessions.js';
import { type ProgramVariants, writeForXla } from './program-variants.js';
import { runtimeError } from './runtime-error.js';
import { type StateAccess, writeStateAccess, writeZeros, type ZeroAccess } from './state-access.js';
import { writeVariables } from './state-writer.js';
import { withTemporaryModel } from './temporary-model.js';
import { createBlockFunctions } from './write-block.js';
import { type ProgramTarget, type WrittenProgram, writeProgram } from './write-program.js';

/** How a graph is written. */
export interface CompiledSessionOptions {
  /** Whether variables are to lie on a GPU; default: where the current backend has them. */
  readonly usesGpu?: boolean;
  /** Whether XLA compiles its parts, each when it first meets the sizes of a run. */
  readonly forXla?: boolean;
}

/** A session whose programs run at once. */
export interface CompiledSession extends Session {
  /** As `run`, before it returns. */
  runNow(program: string, inputs: Readonly<Record<string, FedTensor>>): Record<string, tf.Tensor>;
}

/**
 * Runs programs as one TensorFlow graph in a session of its own: states are variables updated in place, and buffers are
 * reused. The first run of each program takes longer, since the runtime optimises its part of the graph.
 * @throws MetaapoError with code `backend` when the current backend has no sessions
 */
export function openCompiledSession(
  programs: ProgramSet,
  { usesGpu = backendUsesGpu(), forXla = false }: CompiledSessionOptions = {},
): CompiledSession {
  const declarations = statesOf(programs);
  const graph = createGraphWriter(!forXla && fusedKernels() !== undefined);
  const variables = writeVariables(graph, declarations);
  const dtypes = new Set([...declarations.values()].map(({ dtype }) => dtype));
  const handles = [...declarations.keys()].map(variables.handle);
  const access = handles.length === 0 ? undefined : writeStateAccess(graph, handles, dtypes, usesGpu);
  const functions = createBlockFunctions(graph, variables, forXla ? 'xla' : 'operations');
  const written = (forXla ? writeForXla : writePrograms)({ graph, variables, functions }, programs);
  const required = new Set([...written.values()].flatMap(({ usual }) => usual.required));
  const zeros = writeZeros(graph, variables, required);
  const savedModel = graph.savedModel();
  collectGarbage();
  const native = withTemporaryModel(savedModel, loadNativeSession);
  const states = createStates(native, access, zeros, declarations);
  const compilations = createCompilationCounter();
  const runNow: CompiledSession['runNow'] = (name, inputs) => {
    const program = programs[name];
    if (program === undefined) {
      throw new MetaapoError('internal', 'no such program', {
        where: name,
        expected: Object.keys(programs).join(', '),
      });
    }
    const variant = states.variantOf(written.get(name)!);
    const { required, presence } = variant;
    states.ensure(required);
    try {
      const sizes = sizesOf(name, program, inputs);
      const run = () => runProgram(native, name, program, variant, { inputs, sizes });
      const outputs = forXla ? compilations.count(variant.launches, sizes, run) : run();
      states.note(presence);
      return outputs;
    } catch (error) {
      states.forget(presence);
      throw error;
    }
  };
  return {
    executor: forXla ? 'xla' : 'compiled',
    run: async (name, inputs) => runNow(name, inputs),
    runNow,
    write: states.write,
    read: states.read,
    dispose() {
      native.dispose();
    },
  };
}

const port = (output: Output): string => (output.includes(':') ? output : `${output}:0`);

/** What a program is run with. */
interface FedProgram {
  readonly inputs: Readonly<Record<string, FedTensor>>;
  /** By symbol. */
  readonly sizes: DimensionBindings;
}

/** @throws MetaapoError with code `internal` for a missing input, or one of another shape */
function sizesOf(name: string, program: Program, inputs: FedProgram['inputs']): DimensionBindings {
  const sizes: Record<string, number> = {};
  for (const [key, value] of program.inputs) {
    const given = inputs[key];
    if (given === undefined) throw new MetaapoError('internal', `input ${key} is missing`, { where: name });
    bindDimensions(name, key, value, given.shape, sizes);
  }
  return sizes;
}

function runProgram(
  native: NativeSession,
  name: string,
  program: Program,
  { prefix, inputs, dimensions, outputs, done }: WrittenProgram,
  { inputs: fed, sizes }: FedProgram,
): Record<string, tf.Tensor> {
  const feeds = new Map<string, tf.Tensor>();
  const made: tf.Tensor[] = [];
  const make = (tensor: tf.Tensor): tf.Tensor => {
    made.push(tensor);
    return tensor;
  };
  try {
    for (const [key, value] of program.inputs) {
      const given = fed[key]!;
      const dtype = value.dtype === 'int32' ? 'int32' : 'float32';
      const tensor = given instanceof tf.Tensor ? given : make(tf.tensor(given.data, [...given.shape], dtype));
      feeds.set(port(inputs.get(key)!), tensor);
    }
    if (dimensions !== undefined) {
      const numbers = dimensions.symbols.map((symbol) => sizes[symbol]!);
      feeds.set(port(dimensions.placeholder), make(tf.tensor1d(numbers, 'int32')));
    }
    const fetched = attempt(name, prefix, () => native.run(feeds, [...outputs.values(), done].map(port)));
    fetched.at(-1)!.dispose();
    return Object.fromEntries([...outputs.keys()].map((key, index) => [key, fetched[index]!]));
  } finally {
    tf.dispose(made);
  }
}

function attempt<Result>(where: string, prefix: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw runtimeError(error, where, prefix);
  }
}

function writePrograms(target: ProgramTarget, programs: ProgramSet): ReadonlyMap<string, ProgramVariants> {
  const written = Object.entries(programs).map(([name, program]): [string, ProgramVariants] => [
    name,
    { usual: writeProgram(target, name, program) },
  ]);
  return new Map(written);
}

interface States extends Pick<Session, 'read' | 'write'> {
  /** The program that the present states ask for. */
  variantOf(variants: ProgramVariants): WrittenProgram;
  /** Gives zeros to those of the states that have no value. */
  ensure(names: readonly string[]): void;
  /** Notes which states have a value after a run. */
  note(presence: ReadonlyMap<string, boolean>): void;
  /** After a run that failed, nothing is known of the states that it changes. */
  forget(presence: ReadonlyMap<string, boolean>): void;
}

function createStates(
  native: NativeSession,
  access: StateAccess | undefined,
  { zero, zeroed }: ZeroAccess,
  declarations: ReadonlyMap<string, StateDeclaration>,
): States {
  // Whether a state has a value, where that is known: in a new session none has.
  const known = new Map([...declarations.keys()].map((name): [string, boolean] => [name, false]));
  const positions = new Map([...declarations.keys()].map((name, position) => [name, position]));
  const find = (name: string): StateDeclaration & { readonly access: StateAccess } => {
    const declaration = declarations.get(name);
    if (declaration === undefined || access === undefined) {
      throw new MetaapoError('internal', 'no such state', { where: name });
    }
    return { ...declaration, access };
  };
  const fetch = (
    { position: fed }: StateAccess,
    name: string,
    output: Output,
    value?: readonly [Output, tf.Tensor],
  ): tf.Tensor => {
    const position: tf.Tensor = tf.scalar(positions.get(name)!, 'int32');
    try {
      const feeds = new Map([[port(fed), position]]);
      if (value !== undefined) feeds.set(port(value[0]), value[1]);
      return attempt(name, 'access', () => native.run(feeds, [port(output)])[0]!);
    } finally {
      position.dispose();
    }
  };
  const isPresent = (name: string): boolean => {
    const noted = known.get(name);
    if (noted !== undefined) return noted;
    const { access } = find(name);
    const hasValue = fetch(access, name, access.hasValue);
    const present = hasValue.dataSync()[0] === 1;
    hasValue.dispose();
    known.set(name, present);
    return present;
  };
  const assign = (name: string, access: StateAccess, output: Output, fed: readonly [Output, tf.Tensor]): void => {
    try {
      fetch(access, name, output, fed).dispose();
      known.set(name, true);
    } finally {
      fed[1].dispose();
    }
  };
  return {
    variantOf({ usual, fresh }) {
      return fresh !== undefined && ![...fresh.absent].some(isPresent) ? fresh.written : usual;
    },
    ensure(names) {
      const missing = names.filter((name) => !isPresent(name));
      if (missing.length === 0) return;
      const fed = tf.scalar(0);
      try {
        const fetches = missing.map((name) => port(zeroed.get(name)!));
        tf.dispose(attempt('zeros', 'zeros', () => native.run(new Map([[port(zero), fed]]), fetches)));
        for (const name of missing) known.set(name, true);
      } finally {
        fed.dispose();
      }
    },
    note(presence) {
      for (const [name, present] of presence) known.set(name, present);
    },
    forget(presence) {
      for (const name of presence.keys()) known.delete(name);
    },
    async write(name, data) {
      const { shape, dtype, access } = find(name);
      const { value, assigned } = access.values.get(dtype)!;
      assign(name, access, assigned, [value, tf.tensor(data, evaluateShape(shape, {}), carrierOf(dtype))]);
    },
    async read(name) {
      const { shape, dtype, initially, access } = find(name);
      if (isPresent(name)) {
        const tensor = fetch(access, name, access.values.get(dtype)!.read);
        const data = (await tensor.data()) as Float32Array | Int32Array;
        tensor.dispose();
        return data;
      }
      if (initially === 'empty') {
        throw new MetaapoError('internal', 'the state is read before it was written', { where: name });
      }
      const size = evaluateShape(shape, {}).reduce((product, dimension) => product * dimension, 1);
      return dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
    },
  };
}
