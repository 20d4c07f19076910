import type { Program } from '../../program/index.js';
import type { ProgramSet } from '../session.js';
import { planLaunches } from './plan-launches.js';
import { type ProgramTarget, type WrittenProgram, writeProgram } from './write-program.js';

/** A program as it is written, and once more where it may begin with nothing to add to. */
export interface ProgramVariants {
  readonly usual: WrittenProgram;
  readonly fresh?: FreshVariant;
}

/** A program for runs in which some of its states have no value: what is added to them becomes their value. */
export interface FreshVariant {
  readonly written: WrittenProgram;
  readonly absent: ReadonlySet<string>;
}

/** Writes programs as computations of XLA, which cannot ask whether a variable has a value. */
export function writeForXla(target: ProgramTarget, programs: ProgramSet): ReadonlyMap<string, ProgramVariants> {
  const counts = new Map<string, number>();
  const sums = new Map(Object.entries(programs).map(([name, program]) => [name, sumsOf(program)]));
  for (const state of [...sums.values()].flatMap((states) => [...states])) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const cut = { ...target, plan: planLaunches };
  return new Map(
    Object.entries(programs).map(([name, program]): [string, ProgramVariants] => {
      const usual = writeProgram(cut, name, program);
      // What another program adds to as well may have a value when the others have none: it is made zero instead.
      const absent = new Set([...sums.get(name)!].filter((state) => counts.get(state) === 1));
      if (absent.size === 0) return [name, { usual }];
      return [name, { usual, fresh: { written: writeProgram(cut, name, program, absent), absent } }];
    }),
  );
}

/** States that a program adds to before it does anything else with them. */
function sumsOf({ nodes }: Program): ReadonlySet<string> {
  const first = new Map<string, string>();
  for (const { operation, attributes } of nodes) {
    if ('state' in attributes && !first.has(attributes.state)) first.set(attributes.state, operation);
  }
  const adds = ([, operation]: [string, string]): boolean =>
    operation === 'addToState' || operation === 'addRowsToState';
  return new Set([...first].filter(adds).map(([state]) => state));
}
