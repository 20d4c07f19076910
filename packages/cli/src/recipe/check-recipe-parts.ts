import {
  checkLossReads,
  checkParts,
  composeRun,
  type ModelOutput,
  type PartsRecipe,
  type TrainingRecipe,
} from '@metaapo/core';
import type { Plugin } from '@metaapo/core/contracts';
import { metaLearnerPart } from '../training/meta-training.js';

/** What the model of a training gives its loss. */
export const outputOf = (kind: 'policy' | 'reward'): ModelOutput => (kind === 'reward' ? 'rewards' : 'logprobs');

/**
 * Checks everything that a recipe says of its parts, before a model is opened or a directory made.
 * A reference that the loss does not read is warned of: recipes of losses with and without one may share it.
 * @param modelGives what the trained model gives the loss
 * @throws MetaapoError with code `plugin` for an unknown id, `config` for an option that a part does not take, or a loss
 *   that reads something else
 */
export async function checkRecipeParts(
  recipe: Pick<TrainingRecipe, 'loss' | 'metaLearner' | 'trackers' | 'reference'> & Partial<PartsRecipe>,
  plugins: readonly Plugin[],
  modelGives: ModelOutput = 'logprobs',
): Promise<void> {
  await checkParts(plugins, { ...recipe, metaLearner: metaLearnerPart(recipe.metaLearner) });
  const { loss } = await composeRun({ plugins, recipe: { loss: recipe.loss } });
  checkLossReads(loss, modelGives);
  if (recipe.reference === undefined || !loss.isReferenceFree) return;
  process.stderr.write(`Warning: the recipe's reference is not opened, since loss ${loss.id} reads none\n`);
}
