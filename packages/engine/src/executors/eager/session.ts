import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import {
  type DimensionBindings,
  evaluateShape,
  type Program,
  type StateDeclaration,
  symbolsOf,
  type Value,
} from '../../program/index.js';
import { type FedTensor, type ProgramSet, type Session, statesOf } from '../session.js';
import { type KernelSet, kernelsFor } from './kernels.js';
import { type PlannedStep, planLifetimes, type Step } from './plan.js';
import type { Profile } from './profile.js';
import { narrowState, widenedNumbers } from './webgpu/bfloat16.js';
import { runFused } from './webgpu/run-fused.js';

/**
 * Runs programs operation by operation on the current TensorFlow.js backend. Every intermediate is disposed right after
 * its last reader.
 * @param profile told what each primitive costs
 */
export function openEagerSession(programs: ProgramSet, profile?: Profile): Session {
  const states = createStates(statesOf(programs));
  const context: Context = { states, kernels: kernelsFor(tf.getBackend()), profile };
  const plans = new Map<string, readonly PlannedStep[]>();
  return {
    executor: 'eager',
    async run(name, inputs) {
      const program = programs[name];
      if (program === undefined) {
        throw new MetaapoError('internal', 'no such program', {
          where: name,
          expected: Object.keys(programs).join(', '),
        });
      }
      const plan = plans.get(name) ?? planLifetimes(program, context.kernels.steps(program));
      plans.set(name, plan);
      return execute(program, plan, inputs, context);
    },
    async write(state, data) {
      states.write(state, data);
    },
    async read(state) {
      return states.read(state);
    },
    dispose() {
      states.dispose();
    },
  };
}

interface States {
  /** A new handle of the state's tensor, owned by the caller. */
  get(name: string, bindings: DimensionBindings): tf.Tensor;
  /** The tensor itself, handed over; the state is empty afterwards. With bindings, zeros where it begins as such. */
  take(name: string, bindings?: DimensionBindings): tf.Tensor;
  /** Takes ownership of the tensor. */
  set(name: string, tensor: tf.Tensor): void;
  has(name: string): boolean;
  clear(name: string): void;
  write(name: string, data: Float32Array | Int32Array): void;
  read(name: string): Promise<Float32Array | Int32Array>;
  dispose(): void;
}

function createStates(declarations: ReadonlyMap<string, StateDeclaration>): States {
  const tensors = new Map<string, tf.Tensor>();
  const declarationOf = (name: string): StateDeclaration => {
    const declaration = declarations.get(name);
    if (declaration === undefined) throw new MetaapoError('internal', 'no such state', { where: name });
    return declaration;
  };
  const empty = (name: string): never => {
    throw new MetaapoError('internal', 'the state is read before it was written', { where: name });
  };
  const clear = (name: string): void => {
    tensors.get(name)?.dispose();
    tensors.delete(name);
  };
  const first = (name: string, bindings: DimensionBindings): tf.Tensor => {
    const { initially, shape, dtype } = declarationOf(name);
    if (initially === 'empty') return empty(name);
    return tf.fill(evaluateShape(shape, bindings), 0, dtype === 'int32' ? 'int32' : 'float32');
  };
  return {
    get: (name, bindings) => tensors.get(name)?.clone() ?? first(name, bindings),
    take(name, bindings) {
      const tensor = tensors.get(name) ?? (bindings === undefined ? empty(name) : first(name, bindings));
      tensors.delete(name);
      return tensor;
    },
    set(name, tensor) {
      clear(name);
      tensors.set(name, tensor);
    },
    has: (name) => tensors.has(name),
    clear,
    write(name, data) {
      const { shape, dtype } = declarationOf(name);
      const sizes = evaluateShape(shape, {});
      clear(name);
      if (dtype === 'bfloat16') tensors.set(name, narrowState(data as Float32Array, sizes));
      else tensors.set(name, tf.tensor(data, sizes, data instanceof Int32Array ? 'int32' : 'float32'));
    },
    async read(name) {
      const tensor = tensors.get(name);
      const { initially, shape, dtype } = declarationOf(name);
      if (tensor !== undefined) {
        const data = (await tensor.data()) as Float32Array | Int32Array;
        return dtype === 'bfloat16' ? widenedNumbers(data) : data;
      }
      if (initially === 'empty') return empty(name);
      return new Float32Array(tf.util.sizeFromShape(evaluateShape(shape, {})));
    },
    dispose() {
      for (const tensor of tensors.values()) tensor.dispose();
      tensors.clear();
    },
  };
}

function execute(
  program: Program,
  plan: readonly PlannedStep[],
  fed: Readonly<Record<string, FedTensor>>,
  context: Context,
): Record<string, tf.Tensor> {
  const live = new Map<Value, tf.Tensor>();
  try {
    const bindings = feed(program, fed, live, context.kernels);
    for (const { node, lastReads, unread } of plan) {
      if (node.operation !== 'input') {
        const results = timed(node, live, bindings, context);
        for (const [index, value] of node.outputs.entries()) live.set(value, results[index]!);
      }
      for (const value of lastReads) release(live, value);
      for (const value of unread) release(live, value);
    }
    const outputs: Record<string, tf.Tensor> = {};
    for (const [name, value] of program.outputs) outputs[name] = live.get(value)!.clone();
    return outputs;
  } finally {
    context.kernels.finish();
    for (const tensor of live.values()) tensor.dispose();
  }
}

function release(live: Map<Value, tf.Tensor>, value: Value): void {
  live.get(value)?.dispose();
  live.delete(value);
}

interface Context {
  readonly states: States;
  readonly kernels: KernelSet;
  readonly profile: Profile | undefined;
}

function timed(
  node: Step,
  live: ReadonlyMap<Value, tf.Tensor>,
  bindings: DimensionBindings,
  context: Context,
): readonly tf.Tensor[] {
  const inputs = node.inputs.map((value) => live.get(value)!);
  const started = performance.now();
  const outputs = named(node, () => apply(node, inputs, bindings, context));
  context.profile?.record(node, inputs, outputs, (performance.now() - started) / 1000);
  return outputs;
}

/** Says of a tensor that a backend refuses which one it is. */
function named<Result>(node: Step, compute: () => Result): Result {
  try {
    return compute();
  } catch (error) {
    if (!isMetaapoError(error) || error.code !== 'backend') throw error;
    const source = node.operation === 'fused' ? node.outputs[0].node : node;
    const states = node.inputs.flatMap((value) =>
      value.node.operation === 'readState' ? [value.node.attributes.state] : [],
    );
    const where = [`${source.operation} of ${source.scope || 'the whole model'}`, ...states].join(', ');
    throw new MetaapoError('backend', 'A tensor does not fit', { ...error.fault, where, cause: error });
  }
}

function apply(
  node: Step,
  inputs: readonly tf.Tensor[],
  bindings: DimensionBindings,
  { states, kernels }: Context,
): readonly tf.Tensor[] {
  switch (node.operation) {
    case 'readState':
      return [states.get(node.attributes.state, bindings)];
    case 'takeState':
      return [states.take(node.attributes.state)];
    case 'assignState':
      states.set(node.attributes.state, inputs[0]!.clone());
      return [];
    case 'clearState':
      states.clear(node.attributes.state);
      return [];
    case 'addToState': {
      const { state } = node.attributes;
      if (states.has(state)) states.set(state, kernels.states.add(states.take(state), inputs[0]!));
      else states.set(state, inputs[0]!.clone());
      return [];
    }
    case 'addRowsToState': {
      const { state } = node.attributes;
      states.set(state, kernels.states.addRows(states.take(state, bindings), inputs, node));
      return [];
    }
    case 'replaceRowsOfState': {
      const { state } = node.attributes;
      const [rows, indices] = inputs as [tf.Tensor2D, tf.Tensor1D];
      states.set(state, kernels.states.replaceRows(states.take(state, bindings), rows, indices));
      return [];
    }
    case 'moveRowsOfState': {
      const { state, width } = node.attributes;
      const [from, to] = inputs as [tf.Tensor1D, tf.Tensor1D];
      states.set(state, kernels.states.moveRows(states.take(state, bindings), width, from, to));
      return [];
    }
    case 'updateAdamW':
      kernels.states.updateAdamW(node.attributes, inputs, {
        get: (name) => states.get(name, bindings),
        take: (name) => states.take(name, bindings),
        set: (name, tensor) => states.set(name, tensor),
      });
      states.clear(node.attributes.gradient);
      return [];
    case 'fused':
      return [runFused(node, inputs, bindings)];
    default: {
      const outputShapes = node.outputs.map((value) => evaluateShape(value.shape, bindings));
      return kernels.compute[node.operation]!(inputs, node, { outputShapes });
    }
  }
}

function feed(
  program: Program,
  fed: Readonly<Record<string, FedTensor>>,
  live: Map<Value, tf.Tensor>,
  kernels: KernelSet,
): DimensionBindings {
  const bindings: Record<string, number> = {};
  for (const [name, value] of program.inputs) {
    const given = fed[name];
    if (given === undefined) throw new MetaapoError('internal', `input ${name} is missing`, { where: program.name });
    bindDimensions(program.name, name, value, given.shape, bindings);
    const dtype = value.dtype === 'int32' ? 'int32' : 'float32';
    const tensor = given instanceof tf.Tensor ? given.clone() : tf.tensor(given.data, [...given.shape], dtype);
    if (!(given instanceof tf.Tensor) && given.data instanceof Int32Array) kernels.feed(tensor, given.data);
    live.set(value, tensor);
  }
  return bindings;
}

/** Checks a fed shape against the declared one and notes what its symbols stand for. */
export function bindDimensions(
  program: string,
  name: string,
  value: Value,
  given: readonly number[],
  bindings: Record<string, number>,
): void {
  const fits =
    given.length === value.shape.length &&
    value.shape.every((dimension, axis) => {
      if (typeof dimension === 'number') return dimension === given[axis];
      const [symbol] = symbolsOf(dimension);
      bindings[symbol!] ??= given[axis]!;
      return bindings[symbol!] === given[axis];
    });
  if (!fits) {
    throw new MetaapoError('internal', `input ${name} has the wrong shape`, {
      where: program,
      expected: `[${value.shape.join(', ')}] with ${JSON.stringify(bindings)}`,
      got: `[${given.join(', ')}]`,
    });
  }
}
