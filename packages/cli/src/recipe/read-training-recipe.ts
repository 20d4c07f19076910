import { isRunRecipe, parseRewardRecipe, parseTrainingRecipe, type TrainingRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { readRecipe } from './read-recipe.js';

/**
 * A checked recipe of one training, of a policy or of a reward model, with every default filled in.
 * @throws MetaapoError with code `config` when there is none, it is not accepted, or it is a recipe of a whole run
 */
export async function readTrainingRecipe(
  name: string,
  overrides: readonly string[] | undefined,
  kind: 'policy' | 'reward' = 'policy',
): Promise<TrainingRecipe> {
  const { where, value } = await readRecipe(name, overrides);
  if (isRunRecipe(value)) {
    throw new MetaapoError('config', 'this is a recipe of a whole run, with sampling and rewards', {
      where,
      expected: 'a recipe of one training',
      remedy: `Run it with \`metaapo run ${name}\`, or take out what \`metaapo train\` does not know`,
    });
  }
  return (kind === 'reward' ? parseRewardRecipe : parseTrainingRecipe)(value, where);
}
