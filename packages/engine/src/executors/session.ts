import type { Tensor } from '@tensorflow/tfjs';
import type { DataType, Program, StateDeclaration } from '../program/index.js';

/** Programs that share states, by name. */
export type ProgramSet = Readonly<Record<string, Program>>;

/** What a run is fed: a tensor (borrowed), or numbers with their shape. */
export type FedTensor = Tensor | { readonly data: Float32Array | Int32Array; readonly shape: readonly number[] };

/** What runs programs: operation by operation, each as one graph, or each as a few computations that XLA compiles. */
export type Executor = 'eager' | 'compiled' | 'xla';

/** Programs loaded on a device together with the states they share. */
export interface Session {
  readonly executor: Executor;
  /**
   * Runs a program.
   * @returns its outputs by name; owned: the caller disposes them
   * @throws MetaapoError with code `internal` for an unknown program, a missing input or an empty state
   */
  run(program: string, inputs: Readonly<Record<string, FedTensor>>): Promise<Record<string, Tensor>>;
  /** Sets a state; `data` is float32 for float states, whatever their element type in the session. */
  write(state: string, data: Float32Array | Int32Array): Promise<void>;
  /** A copy of a state; zeros when it was never written and begins as zeros. */
  read(state: string): Promise<Float32Array | Int32Array>;
  /** Frees every state. The session cannot be used afterwards. */
  dispose(): void;
}

/** All states that a set of programs declares. */
export function statesOf(programs: ProgramSet): ReadonlyMap<string, StateDeclaration> {
  const states = new Map<string, StateDeclaration>();
  for (const program of Object.values(programs)) {
    for (const [name, declaration] of program.states) states.set(name, declaration);
  }
  return states;
}

/** The tensorflow.js type that carries a data type between runs. */
export function carrierOf(dtype: DataType): 'float32' | 'int32' | 'bool' {
  return dtype === 'bfloat16' ? 'float32' : dtype;
}
