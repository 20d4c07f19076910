import type { RewardRequest } from '@metaapo/core/contracts';
import type { PartFlags } from '../test-runner.js';

/** What a reward model cannot be held to. */
export interface RewardModelFlags extends PartFlags {
  /** False where the same request may get another reward, as from a sampled judge; default true. */
  readonly isDeterministic?: boolean;
  /** True where an aborted signal makes `score` reject; default false. */
  readonly honoursAbort?: boolean;
  /** Requests to score in place of the kit's own, at least two that differ; for scorers of a special field. */
  readonly requests?: readonly RewardRequest[];
}
