import type { SelectionCandidates, SelectionRule } from '@metaapo/core/contracts';

const COUNT = 60;

/** The rule's name in messages. */
export function ruleName(rule: SelectionRule): string {
  return `selection rule ${rule.id}`;
}

/** Sixty candidates with weights and draws spread over [0, 1), or those of them that are named, in that order. */
export function candidatesOf(limit?: number, order: readonly number[] = [...Array(COUNT).keys()]): SelectionCandidates {
  // Steps by 23 and 37 of 61, and by 41 of 97: no two alike, and one no function of another.
  const weight = (at: number): number => ((at * 23 + 5) % 61) / 61;
  return {
    rows: Int32Array.from(order, (at) => 100 + 3 * at),
    scores: Float32Array.from(order, (at) => (((at * 37 + 11) % 61) - 30) / 4),
    weights: Float32Array.from(order, weight),
    uniforms: Float64Array.from(order, (at) => ((at * 41 + 29) % 97) / 97),
    limit,
  };
}

/** The arrays of candidates by name. */
export const CANDIDATE_ARRAYS = ['rows', 'scores', 'weights', 'uniforms'] as const;
