import { createHash } from 'node:crypto';
import type { CheckpointKey, PartRecipe } from '@metaapo/core';

/** Options of models that change how something is computed, and not what is trained. */
const HOW = ['backend', 'executor', 'precision', 'checkpoint'];

/** Hashes of what a checkpoint belongs to: the shape of what is trained, and the rows with all that they hold. */
export function checkpointKey(model: PartRecipe, rows: readonly object[]): CheckpointKey {
  const data = createHash('sha256');
  for (const row of rows)
    data.update(JSON.stringify(row, (_, value) => (ArrayBuffer.isView(value) ? listOf(value) : value)));
  const trained = JSON.stringify(Object.entries(model).filter(([key]) => !HOW.includes(key)));
  return { recipe: createHash('sha256').update(trained).digest('hex'), data: data.digest('hex') };
}

const listOf = (view: ArrayBufferView): readonly number[] => [...(view as Int32Array)];
