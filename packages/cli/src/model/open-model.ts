import {
  MetaapoError,
  type ModelSource,
  type ReadingUse,
  type TextModel,
  type TextScorer,
} from '@metaapo/core/contracts';
import { type TrainedRecipe, trainingUse } from '../training/training-use.js';

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
  if (source.openScorer !== undefined) return source.openScorer(recipe === undefined ? {} : trainingUse(recipe));
  throw new MetaapoError('config', 'it gives no reward models', {
    where: `model ${source.id}`,
    expected: 'a model that can be given a classification head',
    remedy: 'Train a reward model from a directory or hub id',
  });
}
