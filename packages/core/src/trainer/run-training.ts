import { join } from 'node:path';
import { writeArrays } from '../storage/index.js';
import type { EvaluationSet } from './evaluate-preferences.js';
import { preferenceObjective } from './preference-objective.js';
import type { PreferenceTrainerOptions } from './preference-trainer.js';
import { RUN_FILES, type RunDirectoryOptions } from './run-directory.js';
import { runObjective, type TrainingSummary } from './run-objective.js';

/** A whole training on preferences into a run directory. */
export interface TrainingRunOptions extends PreferenceTrainerOptions, RunDirectoryOptions {
  readonly evaluation?: EvaluationSet | undefined;
}

/**
 * Trains on preferences to the end of the plan, writes metrics as it goes, and saves the model and, where there is one,
 * the meta-learner.
 * @throws MetaapoError as {@link runObjective} does; `config` when a meta-learner is to weigh pairs that the loss ranks
 */
export async function runTraining(options: TrainingRunOptions): Promise<TrainingSummary> {
  const objective = preferenceObjective(options, options.evaluation);
  const summary = await runObjective({ ...options, objective });
  const { metaLearner } = summary.state;
  if (metaLearner !== undefined) await writeArrays(join(options.output, RUN_FILES.metaLearner), metaLearner);
  return summary;
}
