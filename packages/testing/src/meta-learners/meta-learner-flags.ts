import type { PartFlags } from '../test-runner.js';

/** What a meta-learner cannot be held to. */
export interface MetaLearnerFlags extends PartFlags {
  /** False where the meta-learner is fixed and no update moves a weight; default true. */
  readonly learns?: boolean;
}
