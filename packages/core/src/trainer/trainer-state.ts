import type { Objective, ObjectiveState } from '../contracts/index.js';

/** Everything of a trainer that is not in the model. */
export interface TrainerState {
  /** Steps of this plan that are done. */
  readonly step: number;
  /** Optimizer steps since the moments were zero, for AdamW's bias correction. */
  readonly optimizerStep: number;
  /** Tokens seen. */
  readonly numTokens: number;
  /** What the objective remembers. */
  readonly objective: ObjectiveState;
}

/** The state before the first step. */
export function initialTrainerState(objective: Pick<Objective, 'initialState'>, seed = 0): TrainerState {
  return { step: 0, optimizerStep: 0, numTokens: 0, objective: objective.initialState(seed) };
}
