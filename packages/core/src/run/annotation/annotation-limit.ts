import { shareOf } from '../../numerics/index.js';

/** Bound on annotation over a whole run: a share of the rows of its iterations, or a number of reward calls. */
export type AnnotationBudget = { readonly share: number } | { readonly rewardCalls: number };

/** How far a run has come. */
export interface BudgetProgress {
  /** Rows of all iterations up to and with this one, and of all iterations of the run. */
  readonly rowsSoFar: number;
  readonly rowsInAll: number;
  /** Reward calls that a selected row costs. */
  readonly callsPerRow: number;
}

/**
 * Most rows that may be annotated up to and with an iteration. A budget is spent evenly: each iteration adds its rows'
 * part of it, and leaves what it does not use to the next ones.
 */
export function annotationLimit(
  budget: AnnotationBudget,
  { rowsSoFar, rowsInAll, callsPerRow }: BudgetProgress,
): number {
  if ('share' in budget) return shareOf(rowsSoFar, budget.share);
  const rows = Math.min(rowsInAll, Math.floor(budget.rewardCalls / callsPerRow));
  return shareOf(rows, rowsSoFar / rowsInAll);
}
