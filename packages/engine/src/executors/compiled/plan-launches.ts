import type { Node, Program, Value } from '../../program/index.js';
import { formOf } from './block-form.js';
import { type Dependencies, dependenciesOf, type Group, groupsOf, type Item, readersOf, sorted } from './plan-items.js';
import { changedStates } from './write-node.js';

/**
 * A program's nodes in as few computations as its blocks allow, in an order in which each comes after what it depends on:
 * each block is one, and what lies between blocks is one. Fed tensors, constants and what frees a state stand alone.
 */
export function planLaunches(program: Program, rowReads: ReadonlySet<Node>): readonly Item[] {
  const reads = repeatableReads(program);
  const results = new Set(program.outputs.values());
  const groups = launchesOf(program, reads);
  const readers = readersOf(groups);
  return groups.map((group) => {
    if (standsAlone(group)) return { nodes: group };
    const nodes = withReads(group, reads, program);
    const isReadByOthers = (value: Value): boolean =>
      !reads.has(value.node) &&
      (results.has(value) || [...(readers.get(value) ?? [])].some((reader) => reader !== group));
    return { nodes, form: formOf(nodes, program, rowReads, isReadByOthers) };
  });
}

const ALONE: ReadonlySet<Node['operation']> = new Set(['input', 'constant', 'clearState']);

const standsAlone = (group: Group): boolean => group.length === 1 && ALONE.has(group[0]!.operation);

/**
 * Reads of states that nothing changes afterwards. Each computation does those itself that it needs: what one hands on to
 * another is a copy.
 */
function repeatableReads({ nodes, outputs }: Program): ReadonlySet<Node> {
  const results = new Set([...outputs.values()].map(({ node }) => node));
  const changedLater = new Set<string>();
  const reads = new Set<Node>();
  for (const node of nodes.toReversed()) {
    const isFixed = node.operation === 'readState' && !changedLater.has(node.attributes.state);
    if (isFixed && !results.has(node)) reads.add(node);
    for (const state of changedStates(node)) changedLater.add(state);
  }
  return reads;
}

/** The nodes and the reads that they need, in the program's order. */
function withReads(group: Group, reads: ReadonlySet<Node>, { nodes }: Program): Group {
  const operands = group.flatMap(({ inputs }) => inputs.map(({ node }) => node));
  const own = new Set([...group, ...operands.filter((node) => reads.has(node))]);
  return own.size === group.length ? group : nodes.filter((node) => own.has(node));
}

function launchesOf(program: Program, reads: ReadonlySet<Node>): readonly Group[] {
  const dissolved = new Set<string>();
  const nodes = program.nodes.filter((node) => !reads.has(node));
  for (;;) {
    const groups = groupsOf(nodes, dissolved);
    const dependencies = dependenciesOf(groups, program, reads);
    const { order, cyclic } = sorted(groups, dependencies);
    if (cyclic === undefined) return joined(order, dependencies);
    dissolved.add(cyclic);
  }
}

/** Groups in an order in which single nodes are put off until blocks wait for them, and then come together. */
function joined(groups: readonly Group[], dependencies: Dependencies): readonly Group[] {
  const order: Group[] = [];
  const done = new Set<Group>();
  const waiting = new Set(groups);
  const isReady = (group: Group): boolean => [...dependencies.get(group)!].every((other) => done.has(other));
  const take = (group: Group): Group => {
    waiting.delete(group);
    done.add(group);
    return group;
  };
  const takeAll = (isWanted: (group: Group) => boolean): readonly Group[] =>
    // Groups are sorted: what one makes ready comes after it.
    [...waiting].flatMap((group) => (isWanted(group) && isReady(group) ? [take(group)] : []));
  while (waiting.size > 0) {
    const own = takeAll((group) => standsAlone(group) || isBlock(group));
    order.push(...own);
    if (own.length > 0) continue;
    order.push(takeAll((group) => !standsAlone(group) && !isBlock(group)).flat());
  }
  return order;
}

const isBlock = ({ length }: Group): boolean => length > 1;
