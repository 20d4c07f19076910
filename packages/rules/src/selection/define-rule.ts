import type { SelectionCandidates, SelectionRule } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';

/** Rows that a rule would like to select, and which of them come first. */
export interface Preference {
  /** True when a row may be selected. */
  readonly isEligible: (at: number) => boolean;
  /** Rows with a larger value come first when there are more eligible rows than may be selected. */
  readonly priority: (at: number) => number;
  /** Most rows that the rule itself selects; `undefined` when it sets none. */
  readonly most?: number | undefined;
}

/** What tells one rule from another. */
export interface RuleDefinition {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly readsScores: boolean;
  prefer(candidates: SelectionCandidates): Preference;
}

/**
 * A selection rule that keeps to the limit: of the eligible rows, those of largest priority, in ascending order of index.
 * Equal priorities go by the larger draw u, then by the earlier row, so that the order of arrival never favours a row.
 */
export function defineRule({ id, options, readsScores, prefer }: RuleDefinition): SelectionRule {
  return Object.freeze({
    id,
    options,
    readsScores,
    select: (candidates: SelectionCandidates): Int32Array => {
      if (readsScores) checkWeights(id, candidates);
      const { isEligible, priority, most } = prefer(candidates);
      const eligible = Array.from(candidates.rows.keys()).filter(isEligible);
      const allowed = Math.min(most ?? eligible.length, candidates.limit ?? eligible.length);
      if (eligible.length <= allowed) return Int32Array.from(eligible);
      const { uniforms } = candidates;
      const order = (a: number, b: number): number => priority(b) - priority(a) || uniforms[b]! - uniforms[a]! || a - b;
      return Int32Array.from(eligible.sort(order).slice(0, allowed)).sort();
    },
  });
}

function checkWeights(id: string, { weights, rows }: SelectionCandidates): void {
  const bad = weights.findIndex((weight) => !(weight >= 0 && weight <= 1));
  if (bad < 0) return;
  throw new MetaapoError('numerics', `the weight of row ${rows[bad]} is no share`, {
    where: `selection rule ${id}`,
    expected: 'a number from 0 to 1',
    got: String(weights[bad]),
    remedy: 'Look at the score of that row and at the state of the meta-learner',
  });
}
