import { MetaapoError } from '@metaapo/core/contracts';
import type { Node, Program, Value } from '../../../program/index.js';
import type { Step } from '../plan.js';
import { isColumnSum, isFusable, isRowSum, literalOf, movesNothing } from './fused-operations.js';
import { type FusedShader, writeFused } from './write-fused.js';

/** Buffers that a shader may read: one less than every adapter binds, since it writes one. */
const MOST_READS = 7;

/**
 * A program's nodes with chains of small ones made into single shaders: what lies between matrix products, row sums and
 * softmax included. A value gets a shader of its own where something else reads it, or several shaders do and it is not
 * cheap to compute again; all others exist within shaders only.
 */
export function fuseProgram(program: Program): readonly Step[] {
  const own = new Set<Value>();
  for (;;) {
    const homes = placeValues(program, own);
    const fused = new Map<Value, FusedShader>();
    let isComplete = true;
    for (const root of rootsOf(program, homes)) {
      const written = writeFused(root, (value) => isInlineIn(root, value, homes));
      const refused = 'refused' in written ? written.refused : tooManyReads(root, written, homes);
      if (refused === undefined) fused.set(root, written as FusedShader);
      else {
        if (own.has(refused)) throw new MetaapoError('internal', 'a value has no shader', { where: program.name });
        own.add(refused);
        isComplete = false;
      }
    }
    if (isComplete) return stepsOf(program, homes, fused);
  }
}

/** By value, the shaders that compute it: its own alone, or those of others. Absent: no shader does. */
type Homes = ReadonlyMap<Value, ReadonlySet<Value>>;

function isInlineIn(root: Value, value: Value, homes: Homes): boolean {
  return value !== root && homes.get(value)?.has(root) === true && !homes.get(value)!.has(value);
}

/** Readers first, so that a value's homes are known from theirs. */
function placeValues(program: Program, own: ReadonlySet<Value>): Homes {
  const readers = readersOf(program);
  const homes = new Map<Value, Set<Value>>();
  for (const node of [...program.nodes].reverse()) {
    for (const value of node.outputs) {
      if (!isFusable(value) && !isColumnSum(node)) continue;
      const inside = new Set<Value>();
      const isRead = readers.get(value)?.outside === true;
      for (const { outputs } of readers.get(value)?.nodes ?? []) {
        for (const output of outputs.filter((one) => readers.has(one))) {
          for (const home of homes.get(output) ?? [value]) inside.add(home);
        }
      }
      const isAlone = isRead || own.has(value) || isColumnSum(node) || (inside.size > 1 && !isCheap(value));
      if (isAlone || inside.has(value)) {
        if (!movesNothing(node)) homes.set(value, new Set([value]));
      } else if (inside.size > 0) homes.set(value, inside);
    }
  }
  return homes;
}

interface Readers {
  readonly nodes: Node[];
  /** Whether it is an output of the program. */
  outside: boolean;
}

function readersOf(program: Program): ReadonlyMap<Value, Readers> {
  const readers = new Map<Value, Readers>();
  const of = (value: Value): Readers => {
    const known = readers.get(value) ?? { nodes: [], outside: false };
    readers.set(value, known);
    return known;
  };
  for (const node of program.nodes) {
    for (const value of node.inputs) {
      of(value).nodes.push(node);
      if (node.outputs.length === 0) of(value).outside = true;
    }
  }
  for (const value of program.outputs.values()) of(value).outside = true;
  return readers;
}

/** Whether computing a value again costs about what reading it would: it comes from one other value, without sums. */
function isCheap(value: Value): boolean {
  const sources = new Set<Value>();
  let left = 8;
  const collect = (one: Value): void => {
    if (literalOf(one) !== undefined) return;
    left--;
    if (!isFusable(one) || left < 0) sources.add(one);
    else for (const input of one.node.inputs) collect(input);
  };
  const isPlain = value.node.operation !== 'concat' && value.node.operation !== 'softmax' && !isRowSum(value.node);
  if (isPlain) for (const input of value.node.inputs) collect(input);
  return isPlain && left >= 0 && sources.size <= 1;
}

function* rootsOf(program: Program, homes: Homes): Iterable<Value> {
  for (const { outputs } of program.nodes) {
    for (const value of outputs) if (homes.get(value)?.has(value) === true) yield value;
  }
}

/** Where a shader reads too much: the inner value with the most reads below it, which then gets its own. */
function tooManyReads(root: Value, { reads }: FusedShader, homes: Homes): Value | undefined {
  if (reads.length <= MOST_READS) return undefined;
  const below = (value: Value): ReadonlySet<Value> =>
    isInlineIn(root, value, homes)
      ? new Set(value.node.inputs.flatMap((input) => [...below(input)]))
      : new Set(literalOf(value) === undefined ? [value] : []);
  const inner = new Set<Value>();
  const collect = (value: Value): void => {
    for (const input of value.node.inputs) {
      if (!isInlineIn(root, input, homes) || inner.has(input)) continue;
      inner.add(input);
      collect(input);
    }
  };
  collect(root);
  const sizes = [...inner]
    .filter(({ node }) => !movesNothing(node))
    .map((value) => ({ value, size: below(value).size }))
    .filter(({ size }) => size > 1 && size <= MOST_READS)
    .sort((a, b) => b.size - a.size);
  return sizes[0]!.value;
}

/** What rounds its bfloat16 inputs when it reads them, or hands them on. Shaders of fused nodes do too. */
const ROUNDS: ReadonlySet<Node['operation']> = new Set([
  'matmul',
  'batchMatmul',
  'gather',
  'reshape',
  'cast',
  'assignState',
]);

function checkReads({ operation, inputs }: Node, { name }: Program): void {
  if (ROUNDS.has(operation) || inputs.every(({ dtype }) => dtype !== 'bfloat16')) return;
  throw new MetaapoError('internal', 'an operation that does not round its bfloat16 inputs', {
    where: `${operation} of ${name}`,
    expected: [...ROUNDS].join(', '),
  });
}

function stepsOf(program: Program, homes: Homes, fused: ReadonlyMap<Value, FusedShader>): readonly Step[] {
  const steps: Step[] = [];
  const needed = new Set<Value>(program.outputs.values());
  for (const node of [...program.nodes].reverse()) {
    const shaders = [...node.outputs].reverse().flatMap((value) => {
      const shader = fused.get(value);
      return shader === undefined
        ? []
        : [{ operation: 'fused', inputs: shader.reads, outputs: [value], shader } as const];
    });
    const isWithin = shaders.length > 0 || node.outputs.some((value) => homes.has(value));
    const isEffect = node.outputs.length === 0 || node.operation === 'takeState';
    const kept = isWithin ? shaders : isEffect || node.outputs.some((value) => needed.has(value)) ? [node] : [];
    for (const step of kept) {
      if (step.operation !== 'fused') checkReads(step, program);
      steps.push(step);
      for (const value of step.inputs) needed.add(value);
    }
  }
  return steps.reverse();
}
