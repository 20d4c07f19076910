import { checkParts, composeRun, type PartsRecipe, type TrainingRecipe } from '@metaapo/core';
import { MetaapoError, type Plugin } from '@metaapo/core/contracts';
import { metaLearnerPart } from '../training/meta-training.js';

/**
 * Checks everything that a recipe says of its parts, before a model is opened or a directory made.
 * @throws MetaapoError with code `plugin` for an unknown id, `config` for an option that a part does not take, or a
 * reference that the loss would not read
 */
export async function checkRecipeParts(
  recipe: Pick<TrainingRecipe, 'loss' | 'metaLearner' | 'trackers' | 'reference'> & Partial<PartsRecipe>,
  plugins: readonly Plugin[],
): Promise<void> {
  await checkParts(plugins, { ...recipe, metaLearner: metaLearnerPart(recipe.metaLearner) });
  const { loss } = await composeRun({ plugins, recipe: { loss: recipe.loss } });
  if (recipe.reference === undefined || !loss.isReferenceFree) return;
  throw new MetaapoError('config', `loss ${loss.id} reads no reference`, {
    where: 'recipe reference',
    expected: 'no reference beside a reference-free loss',
    got: recipe.reference,
    remedy: 'Leave reference out of the recipe, or choose a loss that compares with it, such as dpo',
  });
}
