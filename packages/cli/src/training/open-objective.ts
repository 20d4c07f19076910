import type { Composition, ObjectiveRecipe, PartRecipe } from '@metaapo/core';
import type { ModelSource, Objective } from '@metaapo/core/contracts';
import { composeParts, referenceSource } from '../recipe/compose-parts.js';
import type { RawRecipe } from '../recipe/read-recipe.js';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { withTemplateDate } from '../recipe/template-date.js';

/** The parts that a training has. */
export interface TrainingPartsRecipe {
  readonly model: PartRecipe;
  readonly reference?: PartRecipe | undefined;
  readonly objective: PartRecipe;
  readonly trackers: readonly PartRecipe[];
}

/** A recipe of one training whose parts are checked, and its objective made. */
export interface OpenedObjective {
  readonly recipe: ObjectiveRecipe;
  readonly composition: Composition<TrainingPartsRecipe>;
  readonly objective: Objective;
  /** Where the reference comes from; what the recipe names is opened only when the objective reads it. */
  readonly reference: ModelSource;
}

/**
 * Reads a recipe and makes its objective, before a model is opened or a directory made.
 * @param fallback id of the objective where the recipe names none
 * @throws MetaapoError with code `config` or `plugin` for a recipe, a part or an option that cannot be used
 */
export async function openObjective(
  named: string | RawRecipe,
  { set, resume = false }: Pick<RunFlags, 'set' | 'resume'>,
  fallback: string,
): Promise<OpenedObjective> {
  const { recipe: read, objective: wanted } = await readTrainingRecipe(named, set, fallback);
  const recipe = await withTemplateDate(read, resume);
  const { model, reference, trackers, plugins } = recipe;
  const composition = await composeParts(
    { model, reference, trackers, plugins, objective: wanted },
    recipe.data.templateDate,
  );
  const objective = await composition.make('objective');
  const { loss } = objective.options as { readonly loss?: { readonly id: string } };
  const reader = loss === undefined ? `objective ${objective.id}` : `loss ${loss.id}`;
  const source = await referenceSource(composition, { reader, isRead: objective.readsReference !== false });
  return { recipe, composition, objective, reference: source };
}
