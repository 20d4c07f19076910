import type { MemoryEstimate } from '@metaapo/core/contracts';

/** What is read of a recipe to know what it writes. */
interface WritingRecipe {
  readonly training: { readonly saveEvery?: number | undefined };
}

/** Bytes of a parameter in saved weights. */
export const MODEL_BYTES = 4;
/** Bytes of a parameter with both moments of the optimizer in a checkpoint. */
export const CHECKPOINT_BYTES = 12;

/**
 * What a training, or a run of iterations, leaves on the disk: the weights that are trained, once or after each iteration,
 * and the last checkpoint. While it runs there is one more: a new one is whole before the old one goes.
 * @param iterations absent for a training alone
 */
export function diskOf({ training }: WritingRecipe, estimate: MemoryEstimate | undefined, iterations?: number): string {
  if (estimate === undefined) return 'Disk: not estimated';
  const { trained } = estimate.parameters;
  const models = MODEL_BYTES * trained * (iterations === undefined ? 1 : iterations + 1);
  const checkpoint = CHECKPOINT_BYTES * trained;
  const kept = iterations === undefined && training.saveEvery === undefined ? 0 : checkpoint;
  return (
    `Disk, estimated: ${mib(models + kept)} in all (weights ${mib(models)}, checkpoint ${mib(kept)}), ` +
    `${mib(checkpoint)} more while it runs; the journal and the report are not in it`
  );
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
