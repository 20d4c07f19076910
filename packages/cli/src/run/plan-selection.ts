import { annotationLimit, featuresOf, iterationSlices, type RunRecipe, selectPrompts } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import type { ComposedLoop } from './compose-loop.js';

/** Rows of an iteration, and how many of them may and are expected to be sampled. */
export interface PlannedIteration {
  readonly rows: number;
  readonly most: number;
  readonly expected: number;
}

/**
 * The iterations of a run. What is expected is what the recipe's selection rule takes with the meta-learner as it
 * starts, of pairs that the policy does not tell apart: score 0, and the same entropy of both responses where it is read.
 */
export async function planSelection(
  recipe: RunRecipe,
  { composition, objective }: Pick<ComposedLoop, 'composition' | 'objective'>,
  rows: readonly TokenizedPreference[],
): Promise<readonly PlannedIteration[]> {
  const rule = await composition.make('selection');
  const pairs = await composition.make('pairs');
  const { seed } = recipe.training;
  const state = objective.initialState(seed);
  const { weights, readsEntropy } = objective.scoring ?? {};
  let [most, expected] = [0, 0];
  return iterationSlices(rows.length, recipe).map(({ start, end }, iteration) => {
    const calls = responsesOf(recipe) + (pairs?.readsOffline === true ? 1 : 0);
    const left = (taken: number): number => Math.min(end - start, limitOf(recipe, rows.length, end, calls) - taken);
    const mostHere = left(most);
    const { selected } = selectPrompts({
      rule,
      weigh: weights && ((features) => weights(state, features)),
      rows: rows.slice(start, end).map(({ row, chosen, rejected }) => ({
        row,
        score: 0,
        chosenTokens: chosen.length,
        rejectedTokens: rejected.length,
        ...(readsEntropy === true && EVEN_ENTROPIES),
      })),
      features: rows.slice(start, end).map(featuresOf),
      earlier: [],
      seed,
      iteration,
      limit: left(expected),
    });
    most += mostHere;
    expected += selected.length;
    return { rows: end - start, most: mostHere, expected: selected.length };
  });
}

/** Entropies, in nats a token, that are not known before the policy is asked. */
const EVEN_ENTROPIES = { chosenEntropy: 1, rejectedEntropy: 1 };

/** Responses to a selected prompt. */
export function responsesOf({ responsesPerPrompt, responsesFrom }: RunRecipe): number {
  return responsesFrom === 'both' ? 2 * responsesPerPrompt : responsesPerPrompt;
}

function limitOf(recipe: RunRecipe, rows: number, rowsSoFar: number, callsPerRow: number): number {
  const { budget } = recipe;
  if (budget === undefined) return rowsSoFar;
  const rowsInAll = iterationSlices(rows, recipe).at(-1)?.end ?? 0;
  return annotationLimit(budget, { rowsSoFar, rowsInAll, callsPerRow });
}
