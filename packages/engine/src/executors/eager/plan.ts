import type { Node, Program, Value } from '../../program/index.js';

/** One node of a program with the values that no later node reads. */
export interface PlannedNode {
  readonly node: Node;
  readonly lastReads: readonly Value[];
  /** Outputs that nothing reads and that are no outputs of the program. */
  readonly unread: readonly Value[];
}

/** The order of a program's nodes with, after each, the values whose life ends there. */
export function planLifetimes(program: Program): readonly PlannedNode[] {
  const alive = new Set<Value>(program.outputs.values());
  const plan: PlannedNode[] = [];
  for (const node of [...program.nodes].reverse()) {
    const unread = node.outputs.filter((value) => !alive.has(value));
    const lastReads = [...new Set(node.inputs)].filter((value) => !alive.has(value));
    for (const value of lastReads) alive.add(value);
    plan.push({ node, lastReads, unread });
  }
  return plan.reverse();
}
