import type { PartFlags } from '../test-runner.js';

/** What a selection rule cannot be held to. */
export interface SelectionRuleFlags extends PartFlags {
  /** False where the rule reads no weights, so that it has none to refuse; by default what `readsScores` says. */
  readonly readsWeights?: boolean;
}
