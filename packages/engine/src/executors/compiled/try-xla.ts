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
      const rows = { data: Int32Array.from({ length: SIZE }, (_, at) => SIZE - 1 - at), shape: [SIZE] };
      const { total } = session.runNow('product', { x: { data, shape: [SIZE, SIZE] }, rows });
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

/** The sum of x x^T + 1: with a lookup of rows, sizes that only a run knows, and a state, as layers have them. */
function productProgram(): Program {
  const graph = createGraph('product');
  const x = ops.input(graph, 'x', ['rows', SIZE]);
  const rows = ops.gather(x, ops.input(graph, 'rows', ['looked'], 'int32'));
  const product = ops.matmul(rows, x, { transposeB: true });
  const ones = ops.broadcastTo(ops.scalar(graph, 1), product.shape);
  const total = ops.sum(ops.add(product, ones), [0, 1]);
  ops.addToState(graph, { name: 'sum', shape: [], dtype: 'float32', initially: 'zeros' }, total);
  return finishProgram(graph, { total });
}

/** The sum of x x^T is that of the squared column sums: small integers, exact in any order. */
function expectedTotal(data: Float32Array): number {
  const columns = Array.from({ length: SIZE }, (_, column) =>
    data.reduce((sum, value, at) => (at % SIZE === column ? sum + value : sum), 0),
  );
  return columns.reduce((sum, column) => sum + column * column, SIZE * SIZE);
}
