// Kernels are made for the sizes that they meet, and kept: a quarter of a megabyte each. Batches of ever other sizes would
// make ever other kernels, so that what a pass is laid out in has few sizes.

/** The next larger of few counts: at most a sixteenth and never 64 more. */
export function sizeClass(count: number): number {
  return nextMultiple(count, Math.min(64, 2 ** Math.max(0, magnitude(count) - 4)));
}

/** The next larger of few lengths in tokens: the next multiple of 16, from 256 of 32, from 512 of 64. */
export function lengthClass(tokens: number): number {
  return nextMultiple(tokens, Math.min(64, 2 ** Math.max(4, magnitude(tokens) - 3)));
}

const magnitude = (count: number): number => Math.floor(Math.log2(count));

const nextMultiple = (count: number, step: number): number => Math.ceil(count / step) * step;
