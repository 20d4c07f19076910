import type { FedTensor, Session } from '../src/executors/session.js';
import { createGraph, finishProgram, type Graph, type Program } from '../src/program/index.js';

/** What a program is fed, by name. */
export type Inputs = Readonly<Record<string, FedTensor>>;

/** A program of what `write` adds to its graph, with the outputs that it gives. */
export function program(write: (graph: Graph) => Parameters<typeof finishProgram>[1]): Program {
  const graph = createGraph('test');
  return finishProgram(graph, write(graph));
}

/** What a run gives, by name; its tensors are disposed of. */
export async function resultsOf(
  session: Session,
  program: string,
  inputs: Inputs = {},
): Promise<Record<string, Float32Array>> {
  const results: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(await session.run(program, inputs))) {
    results[name] = (await tensor.data()) as Float32Array;
    tensor.dispose();
  }
  return results;
}

/** As {@link resultsOf}, in plain arrays. */
export async function outputsOf(
  session: Session,
  program: string,
  inputs: Inputs = {},
): Promise<Record<string, number[]>> {
  const results = Object.entries(await resultsOf(session, program, inputs));
  return Object.fromEntries(results.map(([name, values]) => [name, Array.from(values)]));
}
