import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  groupOf,
  parseRunRecipe,
  parseTrainingRecipe,
  planBatches,
  type RunRecipe,
  type TrainingRecipe,
} from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import { estimateTrainingMemory, loadTokenizer, readModelConfig } from '@metaapo/models';
import { stringify } from 'yaml';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { loadPreferences } from '../training/load-preferences.js';
import { modelDirectory, type Sources } from '../training/open-models.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** `metaapo run --dry-run`: what a run would do, without weights. */
export async function planRun(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseRunRecipe(value, where);
  const train = await planData(recipe, recipe.cachedTokens);
  printIterations(recipe, train.length);
  printDefaults(recipe);
}

/** `metaapo train --dry-run`. */
export async function planTraining(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseTrainingRecipe(value, where);
  const train = await planData(recipe, 0);
  const { totalSteps } = planBatches({ rowCount: train.length, ...recipe.training });
  print(`Training: ${train.length} pairs, ${totalSteps} steps of ${recipe.training.batchSize}`);
  printDefaults(recipe);
}

async function planData(recipe: TrainingRecipe, cachedTokens: number): Promise<readonly TokenizedPreference[]> {
  await loadPlugins(recipe.plugins);
  const sources: Sources = { revision: recipe.revision, report: say };
  const directory = await modelDirectory(recipe.model, sources);
  const config = await readModelConfig(directory);
  const tokenizer = existsSync(join(directory, 'tokenizer.json')) ? await loadTokenizer(directory) : undefined;
  const { train } = await loadPreferences(recipe, { tokenizer, vocabularySize: config.vocabularySize }, sources);
  const longest = train
    .map((row) => ({ row: row.row, tokens: tokensOf(row) }))
    .sort((a, b) => b.tokens - a.tokens)
    .slice(0, 3);
  print(`Longest rows, in tokens: ${longest.map(({ row, tokens }) => `row ${row} with ${tokens}`).join(', ')}`);
  const all = train.reduce((sum, row) => sum + tokensOf(row), 0);
  const tokens = Math.max(longest[0]?.tokens ?? 0, Math.min(recipe.training.microBatchTokens, all));
  printMemory(
    estimateTrainingMemory({ ...recipe, config, checkpoint: recipe.training.checkpoint, tokens, cachedTokens }),
  );
  return train;
}

/** Tokens of a row with its prompt once. */
function tokensOf(row: TokenizedPreference): number {
  const { prompt, responses } = groupOf(row);
  return prompt.length + responses.reduce((sum, { length }) => sum + length, 0);
}

function printMemory({ parameters, total, ...parts }: ReturnType<typeof estimateTrainingMemory>): void {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  print(`Parameters: ${millions(parameters.all)}, ${millions(parameters.trained)} of them trained`);
  const list = Object.entries(parts).map(([name, bytes]) => `${name} ${gib(bytes)}`);
  print(`Memory, estimated: ${gib(total)} (${list.join(', ')})`);
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
