import type { PartFlags } from '../test-runner.js';

/** What a pair rule cannot be held to. */
export interface PairRuleFlags extends PartFlags {
  /** False where the chosen response may have the lower reward, as when a rule ranks by something beside it; default true. */
  readonly followsRewards?: boolean;
}
