import { isRunRecipe, type ParsedObjective, parseObjectiveRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { type RawRecipe, readRecipe } from './read-recipe.js';

/**
 * A checked recipe of one training, with every default filled in.
 * @param recipe a file or built-in name, or what was read of one
 * @param fallback id of the objective where the recipe names none
 * @throws MetaapoError with code `config` when there is none, it is not accepted, or it is a recipe of a whole run
 */
export async function readTrainingRecipe(
  recipe: string | RawRecipe,
  overrides: readonly string[] | undefined,
  fallback?: string,
): Promise<ParsedObjective> {
  const { where, value } = typeof recipe === 'string' ? await readRecipe(recipe, overrides) : recipe;
  if (isRunRecipe(value)) {
    throw new MetaapoError('config', 'this is a recipe of a whole run, with sampling and rewards', {
      where,
      expected: 'a recipe of one training',
      remedy: `Run it with \`metaapo run ${where.replace(/^recipe /, '')}\`, or take out what \`metaapo train\` does not know`,
    });
  }
  return parseObjectiveRecipe(value, where, fallback);
}
