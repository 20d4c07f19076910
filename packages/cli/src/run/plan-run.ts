import {
  checkParts,
  composeRun,
  groupOf,
  groupOfTurn,
  isRunRecipe,
  parseRunRecipe,
  parseSftRecipe,
  planBatches,
  type RunRecipe,
  type TrainingRecipe,
  tokensOf,
} from '@metaapo/core';
import type { PromptGroup, TokenizedPreference } from '@metaapo/core/contracts';
import { stringify } from 'yaml';
import { checkRecipeParts, outputOf } from '../recipe/check-recipe-parts.js';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { loadDemonstrations } from '../training/load-demonstrations.js';
import { loadPreferences, type TextCoding } from '../training/load-preferences.js';
import type { Sources } from '../training/open-models.js';
import { rowsToTrain } from '../training/rows-to-train.js';
import { withOnlineResponses } from '../training/training-memory.js';
import { type PlannedData, planData, printOtherModels } from './plan-data.js';
import { type PlannedIteration, planSelection } from './plan-selection.js';
import { estimateTime, type PlannedTokens } from './plan-time.js';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** `metaapo run --dry-run`: what a run would do, without weights. */
export async function planRun(name: string, flags: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, flags.set);
  if (!isRunRecipe(value)) return planTraining(name, flags);
  const recipe = parseRunRecipe(value, where);
  await checkRecipeParts(recipe, await loadPlugins(recipe.plugins));
  const planned = await planPreferences(recipe, recipe.cachedTokens, withOnlineResponses);
  const { rows, parameters, memory } = planned;
  const isFree = await isReferenceFree(recipe);
  const { id, model: rewardModel } = recipe.rewardModel;
  await printOtherModels(
    memory,
    {
      'reference, while it is asked': isFree ? undefined : (recipe.reference ?? recipe.model),
      'reward model': id === 'sequence-classification' ? String(rewardModel) : undefined,
    },
    recipe,
    { revision: recipe.revision, report: () => undefined },
  );
  const iterations = await planSelection(recipe, rows);
  printIterations(recipe, rows.length, iterations);
  print(await estimateTime(recipe, parameters, isFree ? 1 : 2, plannedTokens(recipe, rows, iterations)));
  printDefaults(recipe);
}

/** `metaapo train --dry-run`, and that of `train-reward`. */
export async function planTraining(
  name: string,
  { set }: RunFlags,
  kind: 'policy' | 'reward' = 'policy',
): Promise<void> {
  const recipe = await readTrainingRecipe(name, set, kind);
  await checkRecipeParts(recipe, await loadPlugins(recipe.plugins), outputOf(kind));
  const { rows } = await planPreferences(recipe);
  printTraining(recipe, rowsToTrain(recipe, rows).length, 'pairs');
}

/** `metaapo sft --dry-run`. */
export async function planFineTuning(name: string, { set }: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, set);
  const recipe = parseSftRecipe(value, where);
  await checkParts(await loadPlugins(recipe.plugins), { trackers: recipe.trackers });
  const load = async (coding: TextCoding, sources: Sources) =>
    (await loadDemonstrations(recipe, coding, sources)).train;
  const { rows } = await planData(recipe, undefined, load, ({ turns }) => turns.map(groupOfTurn));
  printTraining(recipe, rows.length, 'demonstrations');
}

function planPreferences(
  recipe: TrainingRecipe,
  cachedTokens?: number,
  complete = (group: PromptGroup): PromptGroup => group,
): Promise<PlannedData<TokenizedPreference>> {
  const load = async (coding: TextCoding, sources: Sources) => (await loadPreferences(recipe, coding, sources)).train;
  return planData(recipe, cachedTokens, load, (row) => [complete(groupOf(row))]);
}

function printTraining(recipe: Pick<TrainingRecipe, 'training'>, rows: number, what: string): void {
  const { totalSteps } = planBatches({ rowCount: rows, ...recipe.training });
  print(`Training: ${rows} ${what}, ${totalSteps} steps of ${recipe.training.batchSize}`);
  printDefaults(recipe);
}

function printIterations(recipe: RunRecipe, rows: number, iterations: readonly PlannedIteration[]): void {
  const { responsesPerPrompt, training } = recipe;
  const sum = (name: keyof PlannedIteration): number => iterations.reduce((all, one) => all + one[name], 0);
  for (const [index, { rows: count, expected }] of iterations.entries()) {
    const { totalSteps } = planBatches({ rowCount: count, ...training });
    const sampled = `about ${expected} sampled`;
    print(
      `Iteration ${index + 1}: ${count} rows, ${sampled}, ${totalSteps} steps of ${training.batchSize} if all rows stay`,
    );
  }
  if (sum('rows') < rows)
    print(`${rows - sum('rows')} rows are in no iteration: raise promptsPerIteration or iterations`);
  const calls = (prompts: number): number => prompts * responsesPerPrompt;
  print(
    `At most ${sum('most')} prompts are sampled: ${calls(sum('most'))} responses and reward calls, of ${calls(sum('rows'))} for online DPO`,
  );
  print(
    `Expected: ${sum('expected')} prompts, ${calls(sum('expected'))} responses and reward calls, if the meta-learner stayed as it starts and all scores were 0`,
  );
}

/** Tokens of a run, if new responses are as long as the data's chosen ones. */
function plannedTokens(
  { responsesPerPrompt, sampler }: RunRecipe,
  rows: readonly TokenizedPreference[],
  iterations: readonly PlannedIteration[],
): PlannedTokens {
  const used = rows.slice(
    0,
    iterations.reduce((all, one) => all + one.rows, 0),
  );
  const mean = (read: (row: TokenizedPreference) => number): number =>
    used.reduce((all, row) => all + read(row), 0) / Math.max(1, used.length);
  const response = Math.min(
    mean(({ chosen }) => chosen.length),
    Number(sampler.maxNewTokens ?? Number.POSITIVE_INFINITY),
  );
  const prompt = mean((row) => row.prompt.length);
  const prompts = iterations.reduce((all, { expected }) => all + expected, 0);
  return {
    offline: used.length * mean((row) => tokensOf(groupOf(row))),
    sampled: prompts * responsesPerPrompt * response,
    sampledPrompts: prompts * prompt,
    online: prompts * (prompt + 2 * response),
  };
}

async function isReferenceFree({ loss, plugins }: RunRecipe): Promise<boolean> {
  return (await composeRun({ plugins: await loadPlugins(plugins), recipe: { loss } })).loss.isReferenceFree;
}

function printDefaults(recipe: object): void {
  print(`\nThe recipe with every default in force:\n\n${stringify(recipe).trimEnd()}`);
}
