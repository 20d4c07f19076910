/** Rows `[start, end)` of an iteration. */
export interface IterationSlice {
  readonly start: number;
  readonly end: number;
}

/** How rows are divided. */
export interface SliceOptions {
  readonly iterations: number;
  /** Rows of an iteration; default an equal share of all. */
  readonly promptsPerIteration?: number | undefined;
}

/** Disjoint slices of `rows` rows in data set order, one an iteration; fewer where the rows do not suffice. */
export function iterationSlices(
  rows: number,
  { iterations, promptsPerIteration }: SliceOptions,
): readonly IterationSlice[] {
  const size = promptsPerIteration ?? Math.ceil(rows / iterations);
  const slices = Array.from({ length: iterations }, (_, index) => ({
    start: index * size,
    end: Math.min(rows, (index + 1) * size),
  }));
  return slices.filter(({ start, end }) => start < end);
}
