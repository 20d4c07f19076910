import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** With less in memory nothing is freed that is worth the time. */
const WORTH_IT = 2 ** 28;

/**
 * Frees unreachable arrays now: what a graph was written from, or weights that were read and handed over. They would
 * otherwise stay in memory for long, since training makes little for the collector to do.
 */
export function collectGarbage(): void {
  const { heapUsed, external } = process.memoryUsage();
  if (heapUsed + external < WORTH_IT) return;
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
