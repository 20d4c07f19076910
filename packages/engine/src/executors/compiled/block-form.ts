import type { Node, Program, StateDeclaration, Value } from '../../program/index.js';
import { isFedMemory } from './write-node.js';

/** A block as what it has in common with blocks that are alike, and what it has of its own. */
export interface BlockForm {
  /** Equal for blocks that compute the same of their own values and states. */
  readonly key: string;
  readonly nodes: readonly Node[];
  /** Values of others that it reads, in the order in which it first does. */
  readonly inputs: readonly Value[];
  /** States that it reads or changes, in that order too. */
  readonly states: readonly StateDeclaration[];
  /** Its values that others read. */
  readonly outputs: readonly Value[];
  /** What it waits for beside what it reads. */
  readonly after: readonly Value[];
}

const STATE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'state',
  'parameter',
  'gradient',
  'firstMoment',
  'secondMoment',
]);

/**
 * The form of some nodes of a program.
 * @param isReadByOthers whether a value of theirs is read by other nodes, or is an output of the program
 */
export function formOf(
  nodes: readonly Node[],
  program: Program,
  rowReads: ReadonlySet<Node>,
  isReadByOthers: (value: Value) => boolean,
): BlockForm {
  const own = new Map(nodes.map((node, position) => [node, position]));
  const inputs = new Map<Value, number>();
  const states = new Map<string, number>();
  const after = new Set<Value>();
  const place = (value: Value): string => {
    const position = own.get(value.node);
    if (position !== undefined) return `${position}.${value.index}`;
    if (value.node.operation === 'constant') return `=${kindOf(value)} ${value.node.attributes.data}`;
    const known = inputs.get(value) ?? inputs.size;
    inputs.set(value, known);
    return `input ${known} ${kindOf(value)} ${value.node.operation === 'broadcastTo'}`;
  };
  const waitOf = ({ after: value }: Node): string => {
    if (value === undefined) return '';
    if (own.has(value.node)) return place(value);
    after.add(value);
    return 'call';
  };
  const attributesOf = ({ attributes }: Node): string =>
    Object.entries(attributes)
      .map(([key, value]) => `${key}=${STATE_ATTRIBUTES.has(key) ? stateOf(value as string) : String(value)}`)
      .join(' ');
  const stateOf = (name: string): string => {
    const known = states.get(name) ?? states.size;
    states.set(name, known);
    const { shape, dtype, initially } = program.states.get(name)!;
    return `state ${known} ${dtype} [${shape}] ${initially}`;
  };
  const lines = nodes.map((node) =>
    [
      node.operation,
      attributesOf(node),
      node.inputs.map(place).join(', '),
      node.outputs.map(kindOf).join(', '),
      waitOf(node),
      rowReads.has(node) ? 'rows' : '',
      keepsFedMemory(node) ? 'fed' : '',
    ].join(' | '),
  );
  const outputs = nodes.flatMap((node) => node.outputs.filter(isReadByOthers));
  return {
    key: [...lines, `gives ${outputs.map(place).join(', ')}`].join('\n'),
    nodes,
    inputs: [...inputs.keys()],
    states: [...states.keys()].map((name) => program.states.get(name)!),
    outputs,
    after: [...after],
  };
}

/** What is copied when it is written, see `writeNode`. */
function keepsFedMemory({ operation, inputs }: Node): boolean {
  return (operation === 'assignState' || operation === 'addToState') && isFedMemory(inputs[0]!);
}

const kindOf = ({ dtype, shape }: Value): string => `${dtype} [${shape}]`;
