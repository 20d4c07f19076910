import { createHash } from 'node:crypto';
import { type CheckpointKey, groupOf, type TrainingRecipe } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';

/** Hashes of what a checkpoint belongs to: the shape of what is trained, and the rows. */
export function checkpointKey(recipe: TrainingRecipe, rows: readonly TokenizedPreference[]): CheckpointKey {
  const { model, adapter, lora } = recipe;
  const data = createHash('sha256');
  for (const row of rows) {
    const { prompt, responses } = groupOf(row);
    data.update(JSON.stringify([row.row, ...[prompt, ...responses].map((ids) => [...ids])]));
  }
  const trained = JSON.stringify({ model, adapter, lora });
  return { recipe: createHash('sha256').update(trained).digest('hex'), data: data.digest('hex') };
}
