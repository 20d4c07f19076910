import { createHash } from 'node:crypto';
import { type CheckpointKey, groupOf, type TrainingRecipe } from '@metaapo/core';
import type { TokenizedDemonstration, TokenizedPreference } from '@metaapo/core/contracts';

/** What a recipe says of the shape of what is trained. */
type TrainedShape = Pick<TrainingRecipe, 'model' | 'adapter' | 'lora'>;

/** Hashes of what a checkpoint belongs to: the shape of what is trained, and the rows. */
export function checkpointKey(recipe: TrainedShape, rows: readonly TokenizedPreference[]): CheckpointKey {
  return keyOf(recipe, rows, (row) => {
    const { prompt, responses } = groupOf(row);
    return [prompt, ...responses];
  });
}

/** The same for demonstrations. */
export function demonstrationKey(recipe: TrainedShape, rows: readonly TokenizedDemonstration[]): CheckpointKey {
  return keyOf(recipe, rows, ({ turns }) => turns.flatMap(({ prompt, response }) => [prompt, response]));
}

function keyOf<Row extends { readonly row: number }>(
  { model, adapter, lora }: TrainedShape,
  rows: readonly Row[],
  idsOf: (row: Row) => readonly Int32Array[],
): CheckpointKey {
  const data = createHash('sha256');
  for (const row of rows) data.update(JSON.stringify([row.row, ...idsOf(row).map((ids) => [...ids])]));
  const trained = JSON.stringify({ model, adapter, lora });
  return { recipe: createHash('sha256').update(trained).digest('hex'), data: data.digest('hex') };
}
