/** The sizes that a pass is laid out in: each function gives the next larger one. */
export interface SizeClasses {
  /** Counts of tiles. */
  count(count: number): number;
  /** Tokens of a pass. */
  tokens(tokens: number): number;
  /** Tokens of a tile's queries and keys. */
  length(tokens: number): number;
  /** Pages of a place in the KV cache. */
  pages(pages: number): number;
  /** Counts of what writes to the KV cache: prompts, sequences, tokens, pages that move. Those that are none write nowhere. */
  places(count: number): number;
  /** Pages of a KV cache that is to have room for so many: for a request that alone takes all of them at least. */
  room(pages: number): number;
}

/** The next larger of few counts: at most a sixteenth and never 64 more. */
export function sizeClass(count: number): number {
  return nextMultiple(count, Math.min(64, 2 ** Math.max(0, magnitude(count) - 4)));
}

/** The next larger of few lengths in tokens: the next multiple of 16, from 256 of 32, from 512 of 64. */
export function lengthClass(tokens: number): number {
  return nextMultiple(tokens, Math.min(64, 2 ** Math.max(4, magnitude(tokens) - 3)));
}

/**
 * Sizes for kernels that are made for the sizes that they meet, and kept: a quarter of a megabyte each. Batches of ever other
 * sizes would make ever other kernels.
 */
export const FINE_SIZES: SizeClasses = {
  count: sizeClass,
  tokens: lengthClass,
  length: lengthClass,
  pages: sizeClass,
  // TensorFlow's own operations refuse rows that are nowhere.
  places: (count) => count,
  room: (pages) => pages,
};

/**
 * Sizes for computations that take seconds to compile: four counts to a doubling, at most a quarter more; two lengths and
 * numbers of pages, at most a half more.
 */
export const COARSE_SIZES: SizeClasses = {
  count: (count) => stepwise(count, 4, 1),
  tokens: (tokens) => stepwise(tokens, 4, 16),
  length: (tokens) => stepwise(tokens, 2, 16),
  pages: (pages) => stepwise(pages, 2, 1),
  places: (count) => stepwise(count, 4, 1),
  room: (pages) => Math.ceil(1.5 * pages),
};

/** The next larger of so many sizes to a doubling, all multiples of `least`. */
function stepwise(size: number, sizesToDoubling: number, least: number): number {
  return size === 0 ? 0 : nextMultiple(size, Math.max(least, 2 ** magnitude(size - 1) / sizesToDoubling));
}

const magnitude = (count: number): number => Math.floor(Math.log2(count));

const nextMultiple = (count: number, step: number): number => Math.ceil(count / step) * step;
