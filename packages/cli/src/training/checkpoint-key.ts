import { createHash } from 'node:crypto';
import { type CheckpointKey, groupOf, type PartRecipe } from '@metaapo/core';
import type { TokenizedDemonstration, TokenizedPreference } from '@metaapo/core/contracts';

/** Options of models that change how something is computed, and not what is trained. */
const HOW = ['backend', 'executor', 'precision', 'checkpoint'];

/** Hashes of what a checkpoint belongs to: the shape of what is trained, and the rows. */
export function checkpointKey(model: PartRecipe, rows: readonly TokenizedPreference[]): CheckpointKey {
  return keyOf(model, rows, (row) => {
    const { prompt, responses } = groupOf(row);
    return [prompt, ...responses];
  });
}

/** The same for demonstrations. */
export function demonstrationKey(model: PartRecipe, rows: readonly TokenizedDemonstration[]): CheckpointKey {
  return keyOf(model, rows, ({ turns }) => turns.flatMap(({ prompt, response }) => [prompt, response]));
}

function keyOf<Row extends { readonly row: number }>(
  model: PartRecipe,
  rows: readonly Row[],
  idsOf: (row: Row) => readonly Int32Array[],
): CheckpointKey {
  const data = createHash('sha256');
  for (const row of rows) data.update(JSON.stringify([row.row, ...idsOf(row).map((ids) => [...ids])]));
  const trained = JSON.stringify(Object.entries(model).filter(([key]) => !HOW.includes(key)));
  return { recipe: createHash('sha256').update(trained).digest('hex'), data: data.digest('hex') };
}
