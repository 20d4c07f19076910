import {
  MetaapoError,
  type ModelDescription,
  type ModelRole,
  type ModelSource,
  type ReadingUse,
  type TextModel,
  type TextScorer,
  weightBytes,
} from '@metaapo/core/contracts';
import { gib, type TrainedRecipe, trainingUse } from '../training/training-use.js';

/**
 * Lends a model that is opened for this alone, or the policy where no source of another one is given.
 * @param use what the model is asked for; whatever it is, the model is disposed afterwards
 */
export async function withReference<Result>(
  source: ModelSource | undefined,
  policy: TextModel,
  reading: ReadingUse,
  use: (model: TextModel) => Promise<Result>,
): Promise<Result> {
  if (source === undefined) return use(policy);
  const opened = await source.openReference('start', reading);
  try {
    return await use(opened);
  } finally {
    opened.model.dispose();
  }
}

/**
 * The model as a reward model: for training where a recipe of one is given.
 * @throws MetaapoError with code `config` when the source has none
 */
export function openScorer(source: ModelSource, recipe?: TrainedRecipe): Promise<TextScorer> {
  requireScorers(source);
  return source.openScorer!(recipe === undefined ? {} : trainingUse(recipe));
}

/**
 * What is known of a model without weights, once it is known that it can be opened as what it is for.
 * @throws MetaapoError with code `config` when the source has no reward models, and as `describe` does
 */
export function describeAs(source: ModelSource, role: ModelRole): Promise<ModelDescription> {
  if (role === 'scorer' || role === 'new-scorer') requireScorers(source);
  return source.describe(role);
}

/** The memory that the weights of a model take, in words. */
export async function weightsOf(source: ModelSource): Promise<string> {
  const bytes = await weightBytes(source);
  return bytes === undefined ? 'weights not estimated' : `weights ${gib(bytes)}`;
}

function requireScorers(source: ModelSource): void {
  if (source.openScorer !== undefined) return;
  throw new MetaapoError('config', 'it gives no reward models', {
    where: `model ${source.id}`,
    expected: 'a model that can be given a classification head',
    remedy: 'Train a reward model from a directory or hub id',
  });
}
