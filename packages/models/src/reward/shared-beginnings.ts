import type { PromptGroup } from '@metaapo/core/contracts';

/** Sequences that begin alike, computed together: their common beginning once. */
export interface SharedBeginning {
  /** Indices of the sequences. */
  readonly indices: readonly number[];
  /** The common beginning as the prompt (empty where there is none), the rest of each sequence as a response. */
  readonly group: PromptGroup;
}

/** Tokens that sequences must have in common to be computed together. */
const LEAST = 16;

/**
 * Puts sequences that begin alike together, as the responses to one prompt do. In the order of their tokens each joins those
 * before it where that needs fewer tokens than they saved before, unless it has more than twice as much in common with
 * the next one.
 */
export function shareBeginnings(sequences: readonly Int32Array[]): readonly SharedBeginning[] {
  const order = sequences.map((_, index) => index).sort((a, b) => compare(sequences[a]!, sequences[b]!));
  const shared: { readonly indices: number[]; length: number }[] = [];
  for (const [at, index] of order.entries()) {
    const [sequence, next] = [sequences[index]!, sequences[order[at + 1] ?? index]!];
    const before = shared.at(-1);
    const common = before === undefined ? 0 : commonLength(sequences[before.indices[0]!]!, sequence, before.length);
    const withNext = at + 1 < order.length ? commonLength(sequence, next, sequence.length - 1) : 0;
    const count = before?.indices.length ?? 0;
    if (common >= LEAST && common * count > before!.length * (count - 1) && 2 * common >= withNext) {
      before!.indices.push(index);
      before!.length = common;
    } else {
      shared.push({ indices: [index], length: sequence.length - 1 });
    }
  }
  return shared.map(({ indices, length }) => groupOf(sequences, indices, indices.length === 1 ? 0 : length));
}

function groupOf(sequences: readonly Int32Array[], indices: readonly number[], length: number): SharedBeginning {
  const prompt = sequences[indices[0]!]!.subarray(0, length);
  return { indices, group: { prompt, responses: indices.map((index) => sequences[index]!.subarray(length)) } };
}

/** Tokens that two sequences begin with in common, at most so many, and never all of the second. */
function commonLength(a: Int32Array, b: Int32Array, most: number): number {
  const end = Math.min(most, a.length, b.length - 1);
  for (let at = 0; at < end; at++) if (a[at] !== b[at]) return at;
  return Math.max(0, end);
}

function compare(a: Int32Array, b: Int32Array): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}
