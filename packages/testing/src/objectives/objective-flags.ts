import type { PartFlags } from '../test-runner.js';

/** What an objective cannot be held to. */
export interface ObjectiveFlags extends PartFlags {
  /**
   * False where the loss holds terms that its gradient leaves out, such as weights or baselines that follow the policy: it is
   * not compared with finite differences then. Default true.
   */
  readonly hasWholeGradient?: boolean;
}
