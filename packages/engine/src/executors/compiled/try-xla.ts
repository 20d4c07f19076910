import { createGraph, finishProgram, operations as ops, type Program } from '../../program/index.js';
import { openCompiledSession } from './session.js';

let outcome: { readonly failure: string | undefined } | undefined;

/**
 * Lets XLA compile a small product once a process, and looks at the result.
 * @returns why it cannot be used, as a clause; undefined where it can
 */
export function whyNotXla(): string | undefined {
  outcome ??= { failure: tryProduct() };
  return outcome.failure;
}

const SIZE = 16;

function tryProduct(): string | undefined {
  try {
    const session = openCompiledSession({ product: productProgram() }, { forXla: true });
    try {
      const data = Float32Array.from({ length: SIZE * SIZE }, (_, at) => at % 3);
      const { total } = session.runNow('product', { x: { data, shape: [SIZE, SIZE] } });
      const [value] = total!.dataSync();
      total!.dispose();
      return value === expectedTotal(data) ? undefined : `a small product is wrong: ${value}`;
    } finally {
      session.dispose();
    }
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, ' ');
  }
}

/** The sum of x x^T. */
function productProgram(): Program {
  const graph = createGraph('product');
  const x = ops.input(graph, 'x', ['rows', SIZE]);
  return finishProgram(graph, { total: ops.sum(ops.matmul(x, x, { transposeB: true }), [0, 1]) });
}

/** The sum of x x^T is that of the squared column sums: small integers, exact in any order. */
function expectedTotal(data: Float32Array): number {
  const columns = Array.from({ length: SIZE }, (_, column) =>
    data.reduce((sum, value, at) => (at % SIZE === column ? sum + value : sum), 0),
  );
  return columns.reduce((sum, column) => sum + column * column, 0);
}
