import type { Node, Program, Value } from '../../program/index.js';
import type { FusedShader } from './webgpu/write-fused.js';

/** Nodes of a program that became one shader. */
export interface FusedNode {
  readonly operation: 'fused';
  readonly inputs: readonly Value[];
  readonly outputs: readonly [Value];
  readonly shader: FusedShader;
}

/** What is carried out at one time. */
export type Step = Node | FusedNode;

/** One step with the values that no later one reads. */
export interface PlannedStep<Kind extends Step = Step> {
  readonly node: Kind;
  readonly lastReads: readonly Value[];
  /** Outputs that nothing reads and that are no outputs of the program. */
  readonly unread: readonly Value[];
}

/**
 * The order of a program's steps with, after each, the values whose life ends there.
 * @param steps of the program; usually its nodes
 */
export function planLifetimes<Kind extends Step>(
  program: Pick<Program, 'outputs'>,
  steps: readonly Kind[],
): readonly PlannedStep<Kind>[] {
  const alive = new Set<Value>(program.outputs.values());
  const plan: PlannedStep<Kind>[] = [];
  for (const node of [...steps].reverse()) {
    const unread = node.outputs.filter((value) => !alive.has(value));
    const lastReads = [...new Set<Value>(node.inputs)].filter((value) => !alive.has(value));
    for (const value of lastReads) alive.add(value);
    plan.push({ node, lastReads, unread });
  }
  return plan.reverse();
}
