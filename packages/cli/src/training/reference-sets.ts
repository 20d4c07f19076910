import { join } from 'node:path';
import { type RowLogprobs, referenceLogprobs, type TrainingRecipe } from '@metaapo/core';
import { MetaapoError, type TokenizedPreference } from '@metaapo/core/contracts';
import { cacheHome } from '@metaapo/engine';
import type { LanguageModel, LoadedTextModel } from '@metaapo/models';
import { createProgress } from '../terminal/progress.js';
import { openReference, type Sources } from './open-models.js';

/** Reference log-probabilities of each set of rows; the policy itself is the reference when the recipe names none. */
export async function referencesOf(
  recipe: TrainingRecipe,
  policy: LoadedTextModel,
  sets: readonly (readonly TokenizedPreference[])[],
  isReferenceFree: boolean,
  sources: Sources,
): Promise<readonly (RowLogprobs[] | undefined)[]> {
  if (isReferenceFree) return sets.map(() => undefined);
  const model: LanguageModel =
    recipe.reference === undefined ? policy.model : await openReference(recipe.reference, recipe, sources);
  const total = sets.reduce((sum, rows) => sum + rows.length, 0);
  const progress = createProgress('reference');
  let before = 0;
  try {
    const results: RowLogprobs[][] = [];
    for (const rows of sets) {
      results.push(
        await referenceLogprobs({
          model,
          rows,
          microBatchTokens: recipe.training.microBatchTokens,
          cacheDirectory: join(cacheHome(process.env), 'reference-logprobs'),
          progress: (done) => progress.update(before + done, total),
          signal: sources.signal,
        }),
      );
      before += rows.length;
    }
    return results;
  } catch (error) {
    if (!sources.signal?.aborted) throw error;
    throw new MetaapoError('interrupted', 'stopped before the first step', { where: recipe.output });
  } finally {
    progress.end();
    if (model !== policy.model) model.dispose();
  }
}
