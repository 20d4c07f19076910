import { type PreferenceObjectiveOptions, preferenceObjective } from './preference-objective.js';
import { createTrainer, type Trainer, type TrainerSettings } from './trainer.js';

/** What a preference trainer works with. */
export interface PreferenceTrainerOptions extends TrainerSettings, PreferenceObjectiveOptions {}

/** Trains a model on preferences, step by step. */
export type PreferenceTrainer = Trainer;

/**
 * A trainer that stands where `start` says. It owns nothing: the caller disposes the model.
 * @throws MetaapoError with code `config` when a meta-learner is to weigh the pairs of a loss that ranks them
 */
export function createPreferenceTrainer(options: PreferenceTrainerOptions): PreferenceTrainer {
  return createTrainer({ ...options, objective: preferenceObjective(options) });
}
