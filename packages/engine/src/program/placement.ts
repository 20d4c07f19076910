import type { Graph, Value } from './program.js';

/** Runs `write` with the graph's scope extended by `name`. */
export function inScope<Result>(graph: Graph, name: string, write: () => Result): Result {
  const outer = graph.scope;
  graph.scope = outer === '' ? name : `${outer}/${name}`;
  try {
    return write();
  } finally {
    graph.scope = outer;
  }
}

/**
 * Runs `write` in a scope whose nodes are one block of several that are alike: a layer. What belongs to it later (what
 * recomputes it, its gradients) is of the same block. An executor may write equal blocks once.
 */
export function inBlock<Result>(graph: Graph, name: string, write: () => Result): Result {
  return inScope(graph, name, () => atNode(graph, { scope: graph.scope, block: graph.scope }, write));
}

/** Runs `write` in the scope and the block of a node. */
export function atNode<Result>(
  graph: Graph,
  { scope, block }: { readonly scope: string; readonly block?: string | undefined },
  write: () => Result,
): Result {
  const outer = { scope: graph.scope, block: graph.block };
  Object.assign(graph, { scope, block });
  try {
    return write();
  } finally {
    Object.assign(graph, outer);
  }
}

/**
 * Runs `write`; the nodes that it adds are not computed before `after` is, although they do not read it. An executor that
 * runs independent nodes side by side holds the intermediates of one part at a time so.
 */
export function inOrder<Result>(graph: Graph, after: Value | undefined, write: () => Result): Result {
  const outer = graph.after;
  graph.after = after;
  try {
    return write();
  } finally {
    graph.after = outer;
  }
}
