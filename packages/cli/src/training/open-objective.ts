import type { Composition, ObjectiveRecipe, PartRecipe } from '@metaapo/core';
import type { ModelSource, Objective } from '@metaapo/core/contracts';
import type { CheckedTraining } from '../recipe/checked-recipe.js';
import { composeParts, referenceSource } from '../recipe/compose-parts.js';
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
 * Makes the objective of a recipe, before a model is opened or a directory made.
 * @throws MetaapoError with code `config` or `plugin` for a part or an option that cannot be used
 */
export async function openObjective(
  { recipe: read, objective: wanted }: CheckedTraining,
  { resume = false }: Pick<RunFlags, 'resume'>,
): Promise<OpenedObjective> {
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
