import { type Graph, inBlock, operations as ops, type StateDeclaration, type Value } from '@metaapo/engine';
import type { LinearParameters } from './layers.js';

/** A parameter of the transformer, named and shaped as the checkpoint has it. */
export interface ParameterDeclaration {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether training changes it. */
  readonly isTrainable: boolean;
  /** How it is stored; `bfloat16` only where no product reads more digits. */
  readonly dtype: 'float32' | 'bfloat16';
}

/** A low-rank adapter: which module it belongs to, and its scale alpha / rank. */
export interface AdapterDeclaration {
  readonly module: string;
  readonly rank: number;
  readonly scaling: number;
}

/** Names of the two matrices of an adapted module, as PEFT writes them. */
export function adapterNames(module: string): { readonly a: string; readonly b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}

/** The state that holds a parameter. */
export function parameterState({ name, shape, dtype }: ParameterDeclaration): StateDeclaration {
  return { name, shape, dtype, initially: 'empty' };
}

/**
 * Runs `write`, which writes something of a parameter, in the block of the parameter's layer: layers are alike. What belongs to
 * no layer stands alone.
 */
export function inLayerOf<Result>(graph: Graph, { name }: ParameterDeclaration, write: () => Result): Result {
  const layer = /\bmodel\.layers\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? write() : inBlock(graph, `layers/${layer}`, write);
}

/** The states that training adds for a parameter: accumulated gradient and the two moments. */
export function trainingStates({ name, shape }: ParameterDeclaration): {
  readonly gradient: StateDeclaration;
  readonly firstMoment: StateDeclaration;
  readonly secondMoment: StateDeclaration;
} {
  const state = (kind: string): StateDeclaration => ({
    name: `${kind}/${name}`,
    shape,
    dtype: 'float32',
    initially: 'zeros',
  });
  return { gradient: state('gradient'), firstMoment: state('moment1'), secondMoment: state('moment2') };
}

/** The parameters of a model, to be read inside a graph. */
export interface Parameters {
  read(name: string): Value;
  linear(module: string): LinearParameters;
}

/** Access to declared parameters from the graph that is being written. */
export function parametersIn(
  graph: Graph,
  declarations: ReadonlyMap<string, ParameterDeclaration>,
  adapters: ReadonlyMap<string, AdapterDeclaration>,
): Parameters {
  const read = (name: string): Value => ops.readState(graph, parameterState(declarations.get(name)!));
  return {
    read,
    linear(module) {
      const bias = `${module}.bias`;
      const adapter = adapters.get(module);
      const names = adapterNames(module);
      return {
        weight: read(`${module}.weight`),
        bias: declarations.has(bias) ? read(bias) : undefined,
        lowRank: adapter && { a: read(names.a), b: read(names.b), scaling: adapter.scaling },
      };
    },
  };
}
