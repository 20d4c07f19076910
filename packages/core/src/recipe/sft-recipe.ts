import { z } from 'zod';
import { modelOptions, withModelOptions } from './model-section.js';
import { parseWith } from './parse-recipe.js';
import {
  checkConflicts,
  commonSections,
  dataSection,
  learningRate,
  namedObjective,
  trainingFields,
  withScheduleDefaults,
} from './training-recipe.js';

/** How a model is trained on demonstrations: with a larger learning rate than on preferences. */
const fineTuningSection = trainingFields
  .safeExtend({ learningRate: learningRate.default(2e-5) })
  .transform(withScheduleDefaults);

/** Which demonstrations, and how long they may be. */
const demonstrationSection = dataSection.extend({
  /** Column of the responses or conversations; default messages, response or completion, whichever a row has. */
  column: z.string().min(1).optional(),
  /** Which of the assistant's messages in a conversation are trained. */
  turns: z.enum(['all', 'last']).default('all'),
});

/** A recipe of `metaapo sft`: no loss to choose, no reference, no meta-learner. */
export const sftRecipe = z
  .strictObject({
    objective: namedObjective('sft'),
    model: commonSections.model,
    ...modelOptions,
    training: fineTuningSection.prefault({}),
    data: demonstrationSection,
    trackers: commonSections.trackers,
    plugins: commonSections.plugins,
    revision: commonSections.revision,
    output: commonSections.output,
  })
  .superRefine(checkConflicts)
  .transform(withModelOptions);

/** A checked recipe of supervised fine-tuning with every default filled in. */
export type SftRecipe = z.output<typeof sftRecipe>;

/**
 * A checked recipe of supervised fine-tuning with every default filled in.
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseSftRecipe(value: unknown, where: string): SftRecipe {
  return parseWith(sftRecipe, value, where);
}
