import type { ProgramSet, Session } from '../src/executors/index.js';
import { createGraph, finishProgram, kernels, operations as ops, type Value } from '../src/program/index.js';
import { numbers } from './primitive-cases.js';
import { resultsOf } from './run-program.js';

/** Float32 and int32 arrays with their shapes, by name. */
export type Tensors = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }>
>;
/** Arrays that were computed, by name. */
export type Results = Readonly<Record<string, Float32Array>>;

/** What a program of fused kernels computes of tensors, in a session that `open` gives and that is disposed of. */
export async function kernelResults(
  open: (programs: ProgramSet) => Session,
  inputs: Tensors,
  write: (values: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
): Promise<Results> {
  const graph = createGraph('test', kernels.ALL);
  const values = Object.entries(inputs).map(([name, { shape, data }]): [string, Value] => {
    return [name, ops.input(graph, name, shape, data instanceof Int32Array ? 'int32' : 'float32')];
  });
  const session = open({ test: finishProgram(graph, write(Object.fromEntries(values))) });
  try {
    return await resultsOf(session, 'test', inputs);
  } finally {
    session.dispose();
  }
}

/** Numbers that bfloat16 holds, so that it computes of the same. */
export const tensor = (shape: readonly number[], seed: number, scale = 1) => {
  const data = numbers(
    shape.reduce((size, dimension) => size * dimension, 1),
    seed,
  ).map((x) => Math.round(x * scale * 64) / 64);
  return { shape, data: Float32Array.from(data) };
};

/** The largest difference, as a share of the largest number. */
export function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, largest] = [0, 1e-30];
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(got[i]!)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(got[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / largest;
}
