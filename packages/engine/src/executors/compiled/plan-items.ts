import type { Node, Program, Value } from '../../program/index.js';
import { type BlockForm, formOf } from './block-form.js';
import { changedStates } from './write-node.js';

/** Nodes that are written together: one alone, or those of a block. */
export interface Item {
  readonly nodes: readonly Node[];
  /** Present where the item is a block of which the program has several alike. */
  readonly form?: BlockForm;
}

/**
 * A program's nodes, cut into items, in an order in which each item comes after what it depends on. A block that cannot
 * stand as one, since something between its nodes depends on some and others on it, is left in single nodes.
 */
export function planItems(program: Program, rowReads: ReadonlySet<Node>): readonly Item[] {
  const dissolved = new Set<string>();
  for (;;) {
    const groups = groupsOf(program.nodes, dissolved);
    const { order, cyclic } = sorted(groups, dependenciesOf(groups, program));
    if (cyclic === undefined) return withForms(order, program, rowReads);
    dissolved.add(cyclic);
  }
}

/** Nodes that are not to be taken apart. */
export type Group = readonly Node[];

/** What each group comes after. */
export type Dependencies = ReadonlyMap<Group, ReadonlySet<Group>>;

/** Fed tensors have their placeholders in the graph itself. */
const blockOf = ({ operation, block }: Node): string | undefined => (operation === 'input' ? undefined : block);

/** The nodes of each block but the dissolved ones together, all others alone. */
export function groupsOf(nodes: readonly Node[], dissolved: ReadonlySet<string>): readonly Group[] {
  const groups: Node[][] = [];
  const blocks = new Map<string, Node[]>();
  for (const node of nodes) {
    const block = blockOf(node);
    const known = block === undefined || dissolved.has(block) ? undefined : blocks.get(block);
    if (known !== undefined) {
      known.push(node);
      continue;
    }
    const group = [node];
    groups.push(group);
    if (block !== undefined && !dissolved.has(block)) blocks.set(block, group);
  }
  return groups;
}

/**
 * Depth first, from the first group on, so that the order stays near that of the program; with the name of a block that
 * stands in the way of any order.
 */
export function sorted(
  groups: readonly Group[],
  dependencies: Dependencies,
): { readonly order: readonly Group[]; readonly cyclic?: string } {
  const order: Group[] = [];
  const state = new Map<Group, 'open' | 'done'>();
  let cyclic: string | undefined;
  const visit = (group: Group): void => {
    const known = state.get(group);
    if (known === 'open') cyclic ??= blockIn(group, state);
    if (known !== undefined) return;
    state.set(group, 'open');
    for (const dependency of dependencies.get(group)!) visit(dependency);
    state.set(group, 'done');
    order.push(group);
  };
  for (const group of groups) visit(group);
  return cyclic === undefined ? { order } : { order, cyclic };
}

/** A block on the way that closes a cycle: single nodes alone have none. */
function blockIn(group: Group, state: ReadonlyMap<Group, 'open' | 'done'>): string | undefined {
  const open = [...state].filter(([, mark]) => mark === 'open').map(([member]) => member);
  return [group, ...open].find((member) => member.length > 1)?.[0]?.block;
}

/** @param repeated reads of states that each group does itself */
export function dependenciesOf(
  groups: readonly Group[],
  program: Program,
  repeated: ReadonlySet<Node> = new Set(),
): Dependencies {
  const groupOf = new Map<Node, Group>(groups.flatMap((group) => group.map((node): [Node, Group] => [node, group])));
  const dependencies = new Map<Group, Set<Group>>(groups.map((group) => [group, new Set()]));
  const states = new Map<string, { written: Node | undefined; reads: Node[] }>();
  for (const node of program.nodes.filter((node) => groupOf.has(node))) {
    const own = groupOf.get(node)!;
    const dependOn = (other: Node | undefined): void => {
      const group = other && groupOf.get(other);
      if (group !== undefined && group !== own) dependencies.get(own)!.add(group);
    };
    for (const input of node.inputs) dependOn(input.node);
    dependOn(node.after?.node);
    const reads = node.inputs.filter((input) => repeated.has(input.node)).map((input) => input.node);
    for (const { name, isChange } of [...reads, node].flatMap(touchedStates)) {
      const state = states.get(name) ?? { written: undefined, reads: [] };
      states.set(name, state);
      dependOn(state.written);
      if (!isChange) {
        state.reads.push(node);
        continue;
      }
      state.reads.forEach(dependOn);
      Object.assign(state, { written: node, reads: [] });
    }
  }
  return dependencies;
}

/** A lookup may read the state itself, see `readsOfRowsOnly`. */
function touchedStates(node: Node): readonly { readonly name: string; readonly isChange: boolean }[] {
  const read = node.operation === 'gather' ? node.inputs[0]!.node : node;
  if (read.operation === 'readState') return [{ name: read.attributes.state, isChange: false }];
  return changedStates(node).map((name) => ({ name, isChange: true }));
}

/** A form for each block that is not the only one of its kind. */
function withForms(groups: readonly Group[], program: Program, rowReads: ReadonlySet<Node>): readonly Item[] {
  const forms = new Map<Group, BlockForm>();
  const counts = new Map<string, number>();
  const readers = readersOf(groups);
  const results = new Set(program.outputs.values());
  for (const nodes of groups.filter(({ length }) => length > 1)) {
    const isReadByOthers = (value: Value): boolean =>
      results.has(value) || [...(readers.get(value) ?? [])].some((group) => group !== nodes);
    const form = formOf(nodes, program, rowReads, isReadByOthers);
    forms.set(nodes, form);
    counts.set(form.key, (counts.get(form.key) ?? 0) + 1);
  }
  return groups.map((nodes) => {
    const form = forms.get(nodes);
    return form === undefined || counts.get(form.key) === 1 ? { nodes } : { nodes, form };
  });
}

/** The groups that read each value. */
export function readersOf(groups: readonly Group[]): ReadonlyMap<Value, ReadonlySet<Group>> {
  const readers = new Map<Value, Set<Group>>();
  for (const group of groups) {
    for (const value of group.flatMap(({ inputs }) => inputs)) {
      const known = readers.get(value) ?? new Set();
      readers.set(value, known.add(group));
    }
  }
  return readers;
}
