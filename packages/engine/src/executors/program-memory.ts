import {
  bytesOf,
  type DimensionBindings,
  evaluateDimension,
  type Program,
  sizeOf,
  type Value,
} from '../program/index.js';
import { planLifetimes } from './eager/plan.js';
import { bindDimensions } from './eager/session.js';

/** Bytes that one run of a program holds, beside the weights and other states of known size. */
export interface ProgramMemory {
  /** Most bytes of values and kept states at one time. */
  readonly peak: number;
  /** States of the sizes of the run that are there afterwards: what a forward pass keeps. */
  readonly kept: number;
}

/**
 * What a run takes when each value lives from its node to its last reader.
 * @param fed the shapes that the run feeds
 * @param kept bytes of states that the program takes
 */
export function programMemory(
  program: Program,
  fed: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  kept = 0,
): ProgramMemory {
  const bindings: Record<string, number> = {};
  for (const [name, value] of program.inputs) bindDimensions(program.name, name, value, fed[name]!.shape, bindings);
  const holders = new Map<Value, number>();
  const hold = (value: Value): void => void holders.set(memoryOf(value), (holders.get(memoryOf(value)) ?? 0) + 1);
  let [live, peak, states] = [kept, kept, kept];
  for (const { node, lastReads, unread } of planLifetimes(program, program.nodes)) {
    const { operation, attributes, inputs, outputs } = node;
    for (const value of outputs) {
      if (operation === 'takeState') states -= bytesOfValue(value, bindings);
      else if (memoryOf(value) === value) live += bytesOfValue(value, bindings);
      hold(value);
    }
    peak = Math.max(peak, live);
    if (operation === 'assignState' && isSymbolic(program, attributes.state)) {
      states += bytesOfValue(inputs[0]!, bindings);
      hold(inputs[0]!);
    }
    for (const value of [...lastReads, ...unread]) {
      const memory = memoryOf(value);
      holders.set(memory, holders.get(memory)! - 1);
      if (holders.get(memory) === 0) live -= bytesOfValue(memory, bindings);
    }
  }
  return { peak, kept: states };
}

/** The value in whose memory a value lies. */
function memoryOf(value: Value): Value {
  return value.node.operation === 'reshape' ? memoryOf(value.node.inputs[0]!) : value;
}

/** What is read of a state lies in the state. */
function bytesOfValue({ node, shape, dtype }: Value, bindings: DimensionBindings): number {
  return node.operation === 'readState' ? 0 : evaluateDimension(sizeOf(shape), bindings) * bytesOf(dtype);
}

function isSymbolic({ states }: Program, name: string): boolean {
  return states.get(name)!.shape.some((dimension) => typeof dimension === 'string');
}
