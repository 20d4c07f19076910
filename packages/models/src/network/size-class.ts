/**
 * The next larger of few sizes, at most a sixteenth and never 64 more than the count. Kernels are made for the sizes that
 * they meet, and kept: batches of ever other sizes would make ever other kernels.
 */
export function sizeClass(count: number): number {
  const step = Math.min(64, 2 ** Math.max(0, Math.floor(Math.log2(count)) - 4));
  return Math.ceil(count / step) * step;
}
