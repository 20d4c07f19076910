import { extname } from 'node:path';
import type { PartRecipe, TrainingRecipe } from '@metaapo/core';
import type { MetaLearner, MetaLearnerState } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';

type Section = NonNullable<TrainingRecipe['metaLearner']>;

/** The options that are the meta-learner's own: without the trainer's, and without a file to begin from. */
export function metaLearnerPart(section: Section | undefined): PartRecipe | undefined {
  if (section === undefined) return undefined;
  const { updateEvery: _, lossWeight: __, init, ...own } = section;
  return { ...own, ...(init === undefined || isFile(init) ? {} : { init }) };
}

/** The state that a meta-learner begins with: from its seed, or from a file. */
export async function metaLearnerStart(
  section: Section,
  learner: MetaLearner,
  seed: number,
): Promise<MetaLearnerState> {
  const { init } = section;
  return isFile(init) ? { ...learner.initialState(seed), ...(await readArrays(init)) } : learner.initialState(seed);
}

function isFile(init: unknown): init is string {
  return typeof init === 'string' && extname(init) === '.safetensors';
}
