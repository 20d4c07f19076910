import { gradientRuleOf } from './gradients.js';
import { add, addRowsToState, addToState, WITHOUT_GRADIENT } from './operations.js';
import { atNode } from './placement.js';
import { type GradientRegion, isEffect, type Node, type StateDeclaration, type Value } from './program.js';

/**
 * Adds the nodes of reverse-mode differentiation to the graph of `outputs`.
 * Contributions to a wanted value are returned one by one, so that they can be accumulated into a state without a
 * temporary sum: see {@link accumulateGradient}.
 * @param outputs differentiated values, with their cotangents d(scalar)/d(output) of the same shape
 * @param wanted values whose cotangents are asked for
 * @returns for each wanted value its contributions, to be summed; none when no output depends on it
 */
export function differentiate(
  outputs: readonly { readonly value: Value; readonly cotangent: Value }[],
  wanted: readonly Value[],
): ReadonlyMap<Value, readonly Value[]> {
  const graph = outputs[0]!.value.graph;
  const forward = graph.nodes.slice();
  const carriers = nodesThatDependOn(forward, wanted);
  const isWanted = new Set(wanted);
  const contributions = new Map<Value, Value[]>();
  const contribute = (value: Value, cotangent: Value | undefined): void => {
    if (cotangent === undefined || !(carriers.has(value.node) || isWanted.has(value))) return;
    const list = contributions.get(value);
    if (list === undefined) contributions.set(value, [cotangent]);
    else list.push(cotangent);
  };
  const cotangentOf = (value: Value): Value | undefined => {
    const list = contributions.get(value);
    if (list === undefined || list.length === 0) return undefined;
    const total = list.reduce((sum, part) => add(sum, part));
    if (!isWanted.has(value)) contributions.set(value, [total]);
    return total;
  };
  for (const { value, cotangent } of outputs) contribute(value, cotangent);

  const finished = new Set<GradientRegion>();
  const backpropagate = (node: Node): void => {
    const region = graph.regions.get(node);
    if (region === undefined) {
      const cotangents = node.outputs.map(cotangentOf);
      if (cotangents.every((cotangent) => cotangent === undefined)) return;
      const results = gradientRuleOf(node)(node, cotangents);
      for (const [index, value] of node.inputs.entries()) contribute(value, results[index]);
    } else if (!finished.has(region)) {
      finished.add(region);
      const results = region.gradient(region.outputs.map(cotangentOf));
      for (const [index, value] of region.inputs.entries()) contribute(value, results[index]);
    }
  };
  for (const node of forward.reverse()) {
    if (carriers.has(node)) atNode(graph, node, () => backpropagate(node));
  }
  return new Map(wanted.map((value) => [value, contributions.get(value) ?? []]));
}

/** Nodes through which a change of a wanted value reaches anything. */
function nodesThatDependOn(nodes: readonly Node[], wanted: readonly Value[]): ReadonlySet<Node> {
  const carriers = new Set<Node>(wanted.map((value) => value.node));
  for (const node of nodes) {
    if (WITHOUT_GRADIENT.has(node.operation) || isEffect(node)) continue;
    if (node.inputs.some((value) => carriers.has(value.node))) carriers.add(node);
  }
  for (const value of wanted) if (WITHOUT_GRADIENT.has(value.node.operation)) carriers.delete(value.node);
  return carriers;
}

/**
 * Adds the contributions of a gradient to its accumulator one by one. A contribution that is a sum of rows (the
 * gradient of a lookup) goes straight to the rows it concerns, without a tensor of the accumulator's size.
 */
export function accumulateGradient(state: StateDeclaration, contributions: readonly Value[]): void {
  for (const value of contributions) atNode(value.graph, value.node, () => accumulate(state, value));
}

function accumulate(state: StateDeclaration, value: Value): void {
  const { graph, node } = value;
  if (node.operation === 'segmentSum') {
    const [rows, indices] = node.inputs as readonly [Value, Value];
    addRowsToState(graph, state, rows, indices);
  } else {
    addToState(graph, state, value);
  }
}
