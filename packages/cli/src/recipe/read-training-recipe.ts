import { isRunRecipe, parseRewardRecipe, parseTrainingRecipe, type TrainingRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { type RawRecipe, readRecipe } from './read-recipe.js';

/**
 * A checked recipe of one training, of a policy or of a reward model, with every default filled in.
 * @param recipe a file or built-in name, or what was read of one
 * @throws MetaapoError with code `config` when there is none, it is not accepted, or it is a recipe of a whole run
 */
export async function readTrainingRecipe(
  recipe: string | RawRecipe,
  overrides: readonly string[] | undefined,
  kind: 'policy' | 'reward' = 'policy',
): Promise<TrainingRecipe> {
  const { where, value } = typeof recipe === 'string' ? await readRecipe(recipe, overrides) : recipe;
  if (isRunRecipe(value)) {
    throw new MetaapoError('config', 'this is a recipe of a whole run, with sampling and rewards', {
      where,
      expected: 'a recipe of one training',
      remedy: `Run it with \`metaapo run ${where.replace(/^recipe /, '')}\`, or take out what \`metaapo train\` does not know`,
    });
  }
  return (kind === 'reward' ? parseRewardRecipe : parseTrainingRecipe)(value, where);
}
