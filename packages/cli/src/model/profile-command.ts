import { tokensOf } from '@metaapo/core';
import { MetaapoError, type PromptGroup } from '@metaapo/core/contracts';
import type { CheckedTraining } from '../recipe/checked-recipe.js';
import { say } from '../recipe/compose-parts.js';
import { loadRows } from '../training/load-rows.js';
import { openObjective } from '../training/open-objective.js';
import { trainingUse } from '../training/training-use.js';

/** Runs `metaapo profile`: what a training step costs, as the model's source knows it. */
export async function profileCommand(checked: CheckedTraining): Promise<void> {
  const { recipe, composition, objective } = await openObjective(checked, {});
  const source = await composition.make('model');
  if (source.profile === undefined) {
    throw new MetaapoError('config', 'it does not say what its steps cost', {
      where: `model ${source.id}`,
      expected: 'a model of this machine',
      remedy: 'Look at time/step_s in the metrics of a run',
    });
  }
  const sources = { report: say };
  const { train } = await loadRows(objective.rowForm, recipe, await source.describe(), sources);
  const { batchSize, microBatchTokens } = recipe.training;
  const batch = train.slice(0, batchSize).flatMap((row) => objective.groupsOf(row));
  const groups = firstMicroBatch(batch, microBatchTokens);
  for await (const line of source.profile(groups, trainingUse(recipe))) process.stdout.write(`${line}\n`);
}

function firstMicroBatch(groups: readonly PromptGroup[], tokens: number): readonly PromptGroup[] {
  let sum = 0;
  const end = groups.findIndex((group) => {
    sum += tokensOf(group);
    return sum > tokens;
  });
  return groups.slice(0, end < 0 ? groups.length : Math.max(1, end));
}
