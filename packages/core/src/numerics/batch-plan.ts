import { seedOf, shuffledIndices } from './random.js';

/** Which rows each optimizer step trains. */
export interface BatchPlan {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** In words, all that the order of rows follows from: in plans with equal ones a step stands at the same row. */
  readonly order: string;
  /** Indices of the rows of step k, counted from 0. The last batch of an epoch may be smaller, where it is kept. */
  rowsAt(step: number): Int32Array;
}

/** How rows become batches. */
export interface BatchPlanOptions {
  readonly rowCount: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** What becomes of the last batch of an epoch where it is smaller than the others; default `keep`. */
  readonly lastBatch?: 'keep' | 'drop' | undefined;
  /** A new order each epoch, from the seed; otherwise the rows keep theirs. */
  readonly shuffle: boolean;
  readonly seed: number;
}

/** Splits rows into batches, epoch after epoch. Depends on its options alone, so a resumed run sees the same batches. */
export function planBatches({ rowCount, batchSize, epochs, lastBatch, shuffle, seed }: BatchPlanOptions): BatchPlan {
  const stepsPerEpoch = lastBatch === 'drop' ? Math.floor(rowCount / batchSize) : Math.ceil(rowCount / batchSize);
  let cached: { readonly epoch: number; readonly order: Int32Array } | undefined;
  const orderOf = (epoch: number): Int32Array => {
    if (cached?.epoch !== epoch) {
      const order = shuffle
        ? shuffledIndices(rowCount, seedOf(['shuffle', seed, epoch]))
        : Int32Array.from({ length: rowCount }, (_, index) => index);
      cached = { epoch, order };
    }
    return cached.order;
  };
  return {
    stepsPerEpoch,
    order: `${rowCount} rows, ${batchSize} a step, ${shuffle ? `shuffled with seed ${seed}` : 'in their order'}${lastBatch === 'drop' ? ', whole batches' : ''}`,
    totalSteps: stepsPerEpoch * epochs,
    rowsAt(step) {
      const start = (step % stepsPerEpoch) * batchSize;
      return orderOf(Math.floor(step / stepsPerEpoch)).slice(start, start + batchSize);
    },
  };
}
