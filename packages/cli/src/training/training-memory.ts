import { tokensOf } from '@metaapo/core';
import type { PromptGroup } from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import { peakMemory } from '@metaapo/engine';
import { estimateTrainingMemory, type LanguageModelConfig, type TrainingMemory } from '@metaapo/models';
import type { PolicyRecipe } from './open-models.js';

/** Bytes as people read them. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/**
 * The memory that the training of a recipe needs: in its largest micro-batch are the longest groups.
 * @param groups what is computed at once, of all rows
 * @param cachedTokens tokens whose keys and values are kept while generating
 */
export function trainingMemory(
  recipe: PolicyRecipe,
  config: LanguageModelConfig,
  groups: readonly PromptGroup[],
  cachedTokens?: number,
): TrainingMemory {
  const { batchSize, microBatchTokens, checkpoint } = recipe.training;
  const longest = groups.toSorted((a, b) => tokensOf(b) - tokensOf(a)).slice(0, batchSize);
  const [first] = packByTokens(longest.map(tokensOf), microBatchTokens);
  return estimateTrainingMemory({
    ...{ config, checkpoint, cachedTokens },
    lora: recipe.lora,
    precision: recipe.precision,
    longestRow: recipe.data.maxLength,
    groups: longest.slice(...(first ?? [0, 0])),
  });
}

/** The group of a row that has got as many responses again as it had: those of the policy itself, assumed as long. */
export function withOnlineResponses({ prompt, responses }: PromptGroup): PromptGroup {
  return { prompt, responses: [...responses, ...responses] };
}

/** Prints the most memory that this process had, beside the estimate. */
export async function printPeakMemory({ total }: TrainingMemory): Promise<void> {
  process.stdout.write(`Peak memory ${gib(await peakMemory())}, estimated ${gib(total)}\n`);
}
