import type { PartContext, PartOutlook, RewardModel } from '@metaapo/core/contracts';
import { MetaapoError, REWARD_MODEL, sumOfOutlooks } from '@metaapo/core/contracts';
import { z } from 'zod';

/** Options of a reward model that a rule makes: its id, and its own options beside it. */
export const scorerSchema = z.looseObject({ id: z.string().max(100) });

/** A reward model by id, with its own options beside the id. */
export type ScorerRecipe = z.output<typeof scorerSchema>;

/**
 * Makes the reward models that a rule is made of; what was made is disposed when a later one cannot be.
 * @throws MetaapoError with code `config` where no parts can be made
 */
export async function makeScorers(
  rule: string,
  recipes: readonly ScorerRecipe[],
  { makePart }: PartContext,
): Promise<readonly RewardModel[]> {
  if (makePart === undefined) {
    throw new MetaapoError('config', 'it is made of other parts, and none can be made here', {
      where: `annotation rule ${rule}`,
      remedy: 'Use composeRun, or the factory of the rule',
    });
  }
  const made: RewardModel[] = [];
  try {
    for (const recipe of recipes) made.push(await makePart(REWARD_MODEL, recipe));
    return made;
  } catch (error) {
    for (const scorer of made) await scorer.dispose?.();
    throw error;
  }
}

/** What is known of the reward models that a rule is made of. */
export async function inspectScorers(
  recipes: readonly ScorerRecipe[],
  { inspectPart }: PartContext,
): Promise<PartOutlook> {
  const outlooks: PartOutlook[] = [];
  for (const recipe of recipes) outlooks.push((await inspectPart?.(REWARD_MODEL, recipe)) ?? {});
  // What they compare within a call is the rule's own affair.
  const { memory } = sumOfOutlooks(outlooks);
  return memory === undefined ? {} : { memory };
}
