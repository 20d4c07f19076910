import { join } from 'node:path';
import { type RowLogprobs, referenceLogprobs } from '@metaapo/core';
import { MetaapoError, type Objective, type RowForm, type RowsByForm, type TextModel } from '@metaapo/core/contracts';
import { cacheHome } from '@metaapo/core/storage';
import { say } from '../recipe/compose-parts.js';
import { createProgress } from '../terminal/progress.js';

/** Reference log-probabilities of each set of rows, as the objective reads them; by default those of preferences. */
export async function referencesOf<Form extends RowForm = 'preference'>(
  { model }: TextModel,
  objective: Objective<Form> | undefined,
  sets: readonly (readonly RowsByForm[Form][])[],
  microBatchTokens: number,
  signal: AbortSignal,
): Promise<readonly RowLogprobs[][]> {
  const total = sets.reduce((sum, rows) => sum + rows.length, 0);
  const progress = createProgress('reference');
  let before = 0;
  try {
    const results: RowLogprobs[][] = [];
    for (const rows of sets) {
      results.push(
        await referenceLogprobs<Form>({
          model,
          rows,
          objective,
          microBatchTokens,
          cacheDirectory: join(cacheHome(process.env), 'reference-logprobs'),
          warn: say,
          progress: (done) => progress.update(before + done, total),
          signal,
        }),
      );
      before += rows.length;
    }
    return results;
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new MetaapoError('interrupted', 'stopped before the first step', { where: 'reference' });
  } finally {
    progress.end();
  }
}
