import { join } from 'node:path';
import { RUN_FILES } from '../../storage/index.js';
import type { CheckpointKey } from '../../trainer/index.js';

/** Directory of an iteration inside a run directory. */
function directoryOf(output: string, iteration: number): string {
  return join(output, RUN_FILES.iterations, String(iteration));
}

/** Directory of the model that an iteration ended with. */
export function iterationModel(output: string, iteration: number): string {
  return join(directoryOf(output, iteration), RUN_FILES.model);
}

/** Directory of an iteration's checkpoint. */
export function iterationCheckpoint(output: string, iteration: number): string {
  return join(directoryOf(output, iteration), RUN_FILES.checkpoint);
}

/** Key of the checkpoints of an iteration. */
export function iterationKey(key: CheckpointKey, iteration: number): CheckpointKey {
  return { recipe: `${key.recipe}/${iteration}`, data: key.data };
}
