import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it, type TestContext } from 'vitest';
import type { FedTensor, Session } from '../src/executors/session.js';
import { createGraph, finishProgram, type Graph, type Program } from '../src/program/index.js';
import { missingBackend } from './missing-backend.js';

let missing: string | undefined;

beforeAll(async () => {
  missing = await missingBackend('tensorflow');
});

/** A test that needs the native backend; it must leave as many tensors as it found. */
export function native(name: string, run: () => Promise<void>): void {
  it(name, async (context: TestContext) => {
    if (missing !== undefined) return context.skip(missing);
    const before = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  }, 60_000);
}

export type Inputs = Readonly<Record<string, FedTensor>>;

/** The outputs of a run, as arrays. */
export async function outputsOf(
  session: Session,
  program: string,
  inputs: Inputs = {},
): Promise<Record<string, number[]>> {
  const tensors = await session.run(program, inputs);
  const arrays = Object.entries(tensors).map(([name, tensor]): [string, number[]] => [
    name,
    Array.from(tensor.dataSync()),
  ]);
  tf.dispose(Object.values(tensors));
  return Object.fromEntries(arrays);
}

/** A program of what `write` adds to its graph, with the outputs that it gives. */
export function program(write: (graph: Graph) => Parameters<typeof finishProgram>[1]): Program {
  const graph = createGraph('test');
  return finishProgram(graph, write(graph));
}
