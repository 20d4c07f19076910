import type { MemoryEstimate } from '@metaapo/core/contracts';
import { gib } from '../training/training-use.js';

/** What is read of a recipe to know what it writes. */
interface WritingRecipe {
  readonly training: { readonly saveEvery?: number | undefined };
}

/** Bytes of a number in saved weights, and of one with both moments of the optimizer in a checkpoint. */
const [SAVED, RESUMED] = [4, 12];

/**
 * What a training, or a run of iterations, writes: the weights that are trained, once or after each iteration, and
 * checkpoints, of which the new one is whole before the old one goes.
 * @param iterations absent for a training alone
 */
export function diskOf({ training }: WritingRecipe, estimate: MemoryEstimate | undefined, iterations?: number): string {
  if (estimate === undefined) return 'Disk: not estimated';
  const { trained } = estimate.parameters;
  const models = SAVED * trained * (iterations === undefined ? 1 : iterations + 1);
  const checkpoints = RESUMED * trained * (training.saveEvery === undefined && iterations === undefined ? 1 : 2);
  const kept = iterations === undefined ? 'model' : 'models';
  return `Disk, estimated: ${kept} ${gib(models)}, checkpoints up to ${gib(checkpoints)} while it runs`;
}
