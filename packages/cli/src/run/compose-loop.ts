import type { Composition, IterationParts, ParsedRun, PartRecipe, RunRecipe } from '@metaapo/core';
import { MetaapoError, type ModelSource } from '@metaapo/core/contracts';
import { composeParts, referenceSource } from '../recipe/compose-parts.js';

/** The parts that a run of iterations has. */
export interface LoopPartsRecipe {
  readonly model: PartRecipe;
  readonly reference?: PartRecipe | undefined;
  readonly objective: PartRecipe;
  readonly selection: PartRecipe;
  readonly sampler: PartRecipe;
  readonly rewardModel: PartRecipe;
  readonly annotation: PartRecipe;
  readonly pairs?: PartRecipe | undefined;
  readonly trackers: readonly PartRecipe[];
}

/** A recipe of a run whose parts are checked, and its objective made. */
export interface ComposedLoop {
  readonly recipe: RunRecipe;
  readonly composition: Composition<LoopPartsRecipe>;
  readonly objective: IterationParts['objective'];
  /** Where the reference comes from; what the recipe names is opened only when the objective reads it, or it answers too. */
  readonly reference: ModelSource;
}

/**
 * Makes the objective of a run, before a model is opened or a directory made.
 * @throws MetaapoError with code `config` or `plugin` for a part or an option that cannot be used, or an objective whose rows
 * no run makes
 */
export async function composeLoop({ recipe, objective: wanted }: ParsedRun): Promise<ComposedLoop> {
  const { model, reference, selection, sampler, rewardModel, annotation, pairs, trackers, plugins } = recipe;
  const named = { model, reference, selection, sampler, rewardModel, annotation, pairs, trackers, plugins };
  const composition = await composeParts({ ...named, objective: wanted }, recipe.data.templateDate);
  const objective = await composition.make('objective');
  const { rowForm, trains } = objective;
  if (trains !== 'policy' || (rowForm !== 'preference' && rowForm !== 'sampled')) {
    throw new MetaapoError('config', 'no run makes rows for it', {
      where: `objective ${objective.id}`,
      expected: 'an objective that trains a policy on preferences or on sampled responses',
      got: `rows of form ${rowForm}`,
      remedy: 'Train it on a data set with `metaapo train`',
    });
  }
  const { loss } = objective.options as { readonly loss?: { readonly id: string } };
  const source = await referenceSource(composition, {
    reader: loss === undefined ? `objective ${objective.id}` : `loss ${loss.id}`,
    isRead: objective.readsReference !== false || recipe.responsesFrom === 'both',
  });
  return { recipe, composition, objective: objective as IterationParts['objective'], reference: source };
}
