import type { TokenizedDemonstration } from '../contracts/index.js';
import { type FineTuningObjectiveOptions, fineTuningObjective } from './fine-tuning-objective.js';
import type { RunDirectoryOptions } from './run-directory.js';
import { runObjective, type TrainingSummary } from './run-objective.js';
import { createTrainer, type Trainer, type TrainerSettings } from './trainer.js';

/** What a trainer of demonstrations works with. */
export interface FineTuningOptions extends TrainerSettings, FineTuningObjectiveOptions {}

/** A trainer of demonstrations that stands where `start` says. It owns nothing: the caller disposes the model. */
export function createFineTuningTrainer(options: FineTuningOptions): Trainer {
  return createTrainer({ ...options, objective: fineTuningObjective(options) });
}

/** A whole training on demonstrations into a run directory. */
export interface FineTuningRunOptions extends FineTuningOptions, RunDirectoryOptions {
  /** Rows to evaluate; absent, there is no evaluation. */
  readonly heldOut?: readonly TokenizedDemonstration[] | undefined;
}

/**
 * Trains on demonstrations to the end of the plan, writes metrics as it goes, and saves the model.
 * @throws MetaapoError as {@link runObjective} does
 */
export function runFineTuning(options: FineTuningRunOptions): Promise<TrainingSummary> {
  return runObjective({ ...options, objective: fineTuningObjective(options, options.heldOut) });
}
