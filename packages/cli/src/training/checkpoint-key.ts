import { createHash } from 'node:crypto';
import { type CheckpointKey, groupOf, type TrainingRecipe } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';

/** Hashes of what decides the numbers of a run: its recipe, without where and how often it writes, and its rows. */
export function checkpointKey(recipe: TrainingRecipe, rows: readonly TokenizedPreference[]): CheckpointKey {
  const { output: _, trackers: __, training, ...rest } = recipe;
  const { evaluateEvery: ___, saveEvery: ____, microBatchTokens: _____, ...numbers } = training;
  const data = createHash('sha256');
  for (const row of rows) {
    const { prompt, responses } = groupOf(row);
    data.update(JSON.stringify([row.row, ...[prompt, ...responses].map((ids) => [...ids])]));
  }
  const json = JSON.stringify({ ...rest, training: numbers });
  return { recipe: createHash('sha256').update(json).digest('hex'), data: data.digest('hex') };
}
