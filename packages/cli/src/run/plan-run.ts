import {
  groupOf,
  groupOfTurn,
  parseRunRecipe,
  parseSftRecipe,
  parseTrainingRecipe,
  planBatches,
  type RunRecipe,
  type TrainingRecipe,
} from '@metaapo/core';
import type { PromptGroup, TokenizedPreference } from '@metaapo/core/contracts';
import { stringify } from 'yaml';
import { readRecipe } from '../recipe/read-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { loadDemonstrations } from '../training/load-demonstrations.js';
import { loadPreferences, type TextCoding } from '../training/load-preferences.js';
import type { Sources } from '../training/open-models.js';
import { withOnlineResponses } from '../training/training-memory.js';
import { planData } from './plan-data.js';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** `metaapo run --dry-run`: what a run would do, without weights. */
export async function planRun(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseRunRecipe(value, where);
  const train = await planPreferences(recipe, recipe.cachedTokens, withOnlineResponses);
  printIterations(recipe, train.length);
  printDefaults(recipe);
}

/** `metaapo train --dry-run`. */
export async function planTraining(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseTrainingRecipe(value, where);
  printTraining(recipe, (await planPreferences(recipe)).length, 'pairs');
}

/** `metaapo sft --dry-run`. */
export async function planFineTuning(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseSftRecipe(value, where);
  const load = async (coding: TextCoding, sources: Sources) =>
    (await loadDemonstrations(recipe, coding, sources)).train;
  const rows = await planData(recipe, undefined, load, ({ turns }) => turns.map(groupOfTurn));
  printTraining(recipe, rows.length, 'demonstrations');
}

function planPreferences(
  recipe: TrainingRecipe,
  cachedTokens?: number,
  complete = (group: PromptGroup): PromptGroup => group,
): Promise<readonly TokenizedPreference[]> {
  const load = async (coding: TextCoding, sources: Sources) => (await loadPreferences(recipe, coding, sources)).train;
  return planData(recipe, cachedTokens, load, (row) => [complete(groupOf(row))]);
}

function printTraining(recipe: Pick<TrainingRecipe, 'training'>, rows: number, what: string): void {
  const { totalSteps } = planBatches({ rowCount: rows, ...recipe.training });
  print(`Training: ${rows} ${what}, ${totalSteps} steps of ${recipe.training.batchSize}`);
  printDefaults(recipe);
}

function printIterations(recipe: RunRecipe, rows: number): void {
  const { iterations, responsesPerPrompt, budget, training } = recipe;
  const size = recipe.promptsPerIteration ?? Math.ceil(rows / iterations);
  const slices = Array.from({ length: iterations }, (_, index) => Math.min(size, Math.max(0, rows - index * size)));
  const used = slices.reduce((sum, count) => sum + count, 0);
  const limit =
    budget === undefined ? used : 'share' in budget ? budget.share * rows : budget.rewardCalls / responsesPerPrompt;
  const most = Math.min(used, Math.floor(limit));
  for (const [index, count] of slices.entries()) {
    const { totalSteps } = planBatches({ rowCount: count, ...training });
    print(`Iteration ${index + 1}: ${count} rows, ${totalSteps} steps of ${training.batchSize} if all rows stay`);
  }
  if (used < rows) print(`${rows - used} rows are in no iteration: raise promptsPerIteration or iterations`);
  const calls = most * responsesPerPrompt;
  print(
    `At most ${most} prompts are sampled: ${calls} responses and reward calls, of ${used * responsesPerPrompt} for online DPO; how many it will be is decided row by row`,
  );
}

function printDefaults(recipe: object): void {
  print(`\nThe recipe with every default in force:\n\n${stringify(recipe).trimEnd()}`);
}
