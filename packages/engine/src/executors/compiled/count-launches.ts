import type { Program } from '../../program/index.js';
import { type ProgramSet, statesOf } from '../session.js';
import { createGraphWriter } from './graph-writer.js';
import { planLaunches } from './plan-launches.js';
import { writeVariables } from './state-writer.js';
import { createBlockFunctions } from './write-block.js';
import { writeProgram } from './write-program.js';

/**
 * What a run of each program starts on a device, counted from the graph that the executor writes; nothing is run.
 * @returns with `compiled` the operations that compute, with `xla` its computations and the operations outside of them
 */
export function countLaunches(programs: ProgramSet, executor: 'compiled' | 'xla'): Readonly<Record<string, number>> {
  const counts = Object.entries(programs).map(([name, program]): [string, number] => [
    name,
    launchesOf(name, program, executor),
  ]);
  return Object.fromEntries(counts);
}

function launchesOf(name: string, program: Program, executor: 'compiled' | 'xla'): number {
  const graph = createGraphWriter();
  const variables = writeVariables(graph, statesOf({ [name]: program }));
  const functions = createBlockFunctions(graph, variables, executor === 'xla' ? 'xla' : 'operations');
  const target = { graph, variables, functions };
  if (executor === 'xla') {
    writeProgram({ ...target, plan: planLaunches }, name, program);
    return graph.operations();
  }
  const { launches } = writeProgram(target, name, program);
  return launches.reduce((sum, { operations }) => sum + operations - 1, graph.operations());
}
