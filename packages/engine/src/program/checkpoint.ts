import { assignState, cast, input } from './operations.js';
import { atNode } from './placement.js';
import {
  addNode,
  createGraph,
  finishProgram,
  type Graph,
  isEffect,
  type Node,
  type Program,
  type StateDeclaration,
  type Value,
} from './program.js';

/**
 * What is kept between forward and backward; the rest is computed again.
 * `none`: every value that a gradient reads (largest; only what gradient rules themselves compute again is repeated, as
 * that of attention does with its weights). `matmul-outputs`: values marked `matmul` or `block` (elementwise work is
 * repeated too). `block-inputs`: values marked `block` (smallest; the whole forward is repeated).
 */
export type CheckpointPolicy = 'none' | 'matmul-outputs' | 'block-inputs';

/** A differentiated graph cut in two programs that share kept values through states. */
export interface ForwardAndBackward {
  /** Computes the outputs and stores what backward needs. */
  readonly forward: Program;
  /** Takes the stored values (they are empty afterwards), reads the same inputs, and has the graph's effects. */
  readonly backward: Program;
  /** The states between them. */
  readonly stash: readonly StateDeclaration[];
}

/** What {@link splitAtCheckpoint} needs to know of a differentiated graph. */
export interface DifferentiatedGraph {
  readonly graph: Graph;
  /** Number of nodes before differentiation began: those are forward, the others backward. */
  readonly forwardNodes: number;
  readonly forwardOutputs: Readonly<Record<string, Value>>;
  /** Outputs of the backward program, beside its effects. */
  readonly backwardOutputs?: Readonly<Record<string, Value>>;
}

/**
 * Cuts a differentiated graph into a forward and a backward program. Repeated computations stand in the backward
 * program right before their first use and wait, by a control edge, for the gradient that precedes them: otherwise a
 * runtime that starts every ready node would repeat the whole forward at once and hold all of it.
 */
export function splitAtCheckpoint(source: DifferentiatedGraph, policy: CheckpointPolicy): ForwardAndBackward {
  const { graph, forwardNodes, forwardOutputs, backwardOutputs = {} } = source;
  const needed = neededByBackward(source);
  const stashed = new Map<Value, StateDeclaration>();
  const backward = graphWithStates(`${graph.name}-backward`, graph);
  // Kept values may have sizes that no input of their gradients has.
  for (const [name, { shape, dtype }] of graph.inputs) input(backward, name, shape, dtype as 'float32' | 'int32');
  const copies = new Map<Value, Value>();
  let latestGradient: Value | undefined;

  const stash = (value: Value): Value => {
    const { shape } = value;
    const dtype = isBfloat16Product(value) ? 'bfloat16' : value.dtype;
    const state: StateDeclaration = {
      name: `${graph.name}/kept/${stashed.size}`,
      shape,
      dtype,
      initially: 'empty',
    };
    stashed.set(value, state);
    backward.states.set(state.name, state);
    const taken = addNode(backward, 'takeState', { state: state.name }, [], [{ shape, dtype }], latestGradient)[0]!;
    return cast(taken, value.dtype);
  };
  const resolve = (value: Value, isReadByGradient: boolean): Value => {
    const known = copies.get(value);
    if (known !== undefined) return known;
    const isKept = !isLeaf(value.node) && isKeptBy(policy, value, isReadByGradient);
    if (isKept) {
      const copy = stash(value);
      copies.set(value, copy);
      return copy;
    }
    const inputs = value.node.inputs.map((operand) => resolve(operand, false));
    // What stands outside of blocks is computed once for all of them, and waits for none.
    const { block, inputs: operands } = value.node;
    const startsRecomputation = block !== undefined && operands.every((operand) => isLeaf(operand.node));
    copyNode(value.node, inputs, backward, copies, startsRecomputation ? latestGradient : undefined);
    return copies.get(value)!;
  };

  for (const node of graph.nodes.slice(forwardNodes)) {
    if (!needed.has(node)) continue;
    const inputs = atNode(backward, node, () =>
      node.inputs.map((value) => (value.node.id < forwardNodes ? resolve(value, true) : copies.get(value)!)),
    );
    copyNode(node, inputs, backward, copies);
    if (node.outputs[0] !== undefined && !isLeaf(node)) latestGradient = copies.get(node.outputs[0]);
  }

  const forward = graphWithStates(`${graph.name}-forward`, graph);
  const forwardCopies = new Map<Value, Value>();
  for (const node of graph.nodes.slice(0, forwardNodes)) {
    const inputs = node.inputs.map((value) => forwardCopies.get(value)!);
    copyNode(node, inputs, forward, forwardCopies);
    atNode(forward, node, () => {
      for (const value of node.outputs) {
        const state = stashed.get(value);
        if (state !== undefined) assignState(forward, state, cast(forwardCopies.get(value)!, state.dtype));
      }
    });
  }
  const mapped = (outputs: Readonly<Record<string, Value>>, from: ReadonlyMap<Value, Value>): Record<string, Value> =>
    Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, from.get(value)!]));
  return {
    forward: finishProgram(forward, mapped(forwardOutputs, forwardCopies)),
    backward: finishProgram(backward, mapped(backwardOutputs, copies)),
    stash: [...stashed.values()],
  };
}

function graphWithStates(name: string, source: Graph): Graph {
  const graph = createGraph(name, source.kernels);
  for (const [state, declaration] of source.states) graph.states.set(state, declaration);
  return graph;
}

function isLeaf(node: Node): boolean {
  return node.operation === 'input' || node.operation === 'constant' || node.operation === 'readState';
}

function isKeptBy(policy: CheckpointPolicy, value: Value, isReadByGradient: boolean): boolean {
  if (policy === 'none') return isReadByGradient;
  return value.keep === 'block' || (policy === 'matmul-outputs' && value.keep === 'matmul');
}

/** True for products of bfloat16 factors: bfloat16 holds them exactly. */
function isBfloat16Product({ node }: Value): boolean {
  return (node.operation === 'matmul' || node.operation === 'batchMatmul') && node.inputs[0]!.dtype === 'bfloat16';
}

function neededByBackward({ graph, forwardNodes, backwardOutputs = {} }: DifferentiatedGraph): ReadonlySet<Node> {
  const needed = new Set<Node>(Object.values(backwardOutputs).map((value) => value.node));
  for (let id = graph.nodes.length - 1; id >= forwardNodes; id--) {
    const node = graph.nodes[id]!;
    if (!needed.has(node) && !isEffect(node)) continue;
    needed.add(node);
    for (const value of node.inputs) needed.add(value.node);
  }
  return needed;
}

function copyNode(node: Node, inputs: readonly Value[], target: Graph, copies: Map<Value, Value>, after?: Value): void {
  if (node.operation === 'input') {
    const value = node.outputs[0]!;
    copies.set(value, input(target, node.attributes.name, value.shape, value.dtype as 'float32' | 'int32'));
    return;
  }
  const wait = after ?? (node.after && copies.get(node.after));
  const outputs = atNode(target, node, () =>
    addNode(target, node.operation, node.attributes, inputs, node.outputs, wait),
  );
  for (const [index, value] of node.outputs.entries()) copies.set(value, outputs[index]!);
}
