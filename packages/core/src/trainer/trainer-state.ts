import type { LossState, MetaLearnerState } from '../contracts/index.js';
import type { ChosenStart } from './chosen-fall.js';
import { type BufferedRows, emptyBuffer } from './meta-buffer.js';

/** Everything of a trainer that is not in the model. */
export interface TrainerState {
  /** Steps of this plan that are done. */
  readonly step: number;
  /** Optimizer steps since the moments were zero, for AdamW's bias correction. */
  readonly optimizerStep: number;
  /** Tokens seen. */
  readonly numTokens: number;
  readonly metaLearner?: MetaLearnerState | undefined;
  readonly metaBuffer: BufferedRows;
  /** What the loss remembers, where it remembers anything. */
  readonly lossState?: LossState | undefined;
  /** How likely chosen responses were at the start of the run, where no reference tells. */
  readonly chosenStart?: ChosenStart | undefined;
}

/** The state before the first step. */
export function initialTrainerState(metaLearner?: MetaLearnerState): TrainerState {
  return { step: 0, optimizerStep: 0, numTokens: 0, metaLearner, metaBuffer: emptyBuffer() };
}
