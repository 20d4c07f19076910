import { type PartRecipe, type RunRecipe, type TrainingRecipe, tokensOf } from '@metaapo/core';
import type {
  MemoryEstimate,
  ModelNeeds,
  ModelSource,
  Objective,
  PromptGroup,
  TrainingUse,
} from '@metaapo/core/contracts';
import { firstPack } from '@metaapo/core/numerics';
import { peakMemory, xlaCompilations } from '@metaapo/engine';
import { optimizerOf } from './training-settings.js';

/** What is read of a recipe to open the model that is trained. */
export interface TrainedRecipe {
  readonly training: TrainingRecipe['training'];
  readonly data: Pick<TrainingRecipe['data'], 'maxLength'>;
  readonly cachedTokens?: number | undefined;
}

/** What the model of a recipe is opened for. */
export function trainingUse({ training, data, cachedTokens }: TrainedRecipe): TrainingUse {
  return {
    optimizer: optimizerOf(training),
    seed: training.seed,
    longestRow: data.maxLength,
    cachedTokens,
  };
}

/** What is read of a recipe to know what a training asks of the source of its policy. */
interface ReferringRecipe extends TrainedRecipe {
  readonly model: PartRecipe;
  readonly reference?: PartRecipe | undefined;
}

/** What one training asks of the policy's source: a reference of its own is another model of it. */
export function needsOfTraining(recipe: ReferringRecipe, { scoring }: Objective): ModelNeeds {
  const models = recipe.reference?.id === recipe.model.id ? 2 : 1;
  return { ...trainingUse(recipe), entropies: scoring?.readsEntropy === true, models };
}

/** What the loop asks of it: a reference that lags is another model too. */
export function needsOfRun(recipe: RunRecipe, { scoring, readsReference }: Objective): ModelNeeds {
  const isReferred = readsReference !== false || recipe.responsesFrom === 'both';
  const isOwn = recipe.reference === undefined ? recipe.iterations > 1 : recipe.reference.id === recipe.model.id;
  const lags = recipe.iterations > 1 && recipe.referencePolicy === 'previous';
  const models = isReferred && (isOwn || lags) ? 2 : 1;
  return { ...trainingUse(recipe), entropies: scoring?.readsEntropy === true, models };
}

/** Bytes as people read them. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/**
 * The memory that the training of a recipe needs: in its largest micro-batch are the longest groups.
 * @param groups what is computed at once, of all rows
 * @returns nothing where the source cannot tell
 */
export async function trainingMemory(
  source: ModelSource,
  recipe: TrainedRecipe,
  groups: readonly PromptGroup[],
  trains: 'policy' | 'scorer' = 'policy',
): Promise<MemoryEstimate | undefined> {
  const { batchSize, microBatchTokens } = recipe.training;
  const longest = groups.toSorted((a, b) => tokensOf(b) - tokensOf(a)).slice(0, batchSize);
  const largest = firstPack(longest, tokensOf, microBatchTokens);
  return source.estimateMemory?.({ ...trainingUse(recipe), trains, groups: largest });
}

/** The group of a row that has got as many responses again as it had: those of the policy itself, assumed as long. */
export function withOnlineResponses({ prompt, responses }: PromptGroup): PromptGroup {
  return { prompt, responses: [...responses, ...responses] };
}

/** Prints the most memory that this process had, beside the estimate where there is one, and what XLA compiled in it. */
export async function printPeakMemory(estimate: MemoryEstimate | undefined): Promise<void> {
  const beside = estimate === undefined ? '' : `, estimated ${gib(estimate.total)}`;
  process.stdout.write(`Peak memory ${gib(await peakMemory())}${beside}\n`);
  const { count, seconds } = xlaCompilations();
  if (count > 0) process.stdout.write(`XLA compiled ${count} computations, in runs of ${seconds.toFixed(1)} s\n`);
}
