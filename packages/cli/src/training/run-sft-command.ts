import {
  checkParts,
  groupOfTurn,
  initialTrainerState,
  parseSftRecipe,
  planBatches,
  runTraining,
  sft,
} from '@metaapo/core';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { demonstrationKey } from './checkpoint-key.js';
import { inRunDirectory, keepRecipe, refuseRewardModel } from './in-run-directory.js';
import { loadDemonstrations } from './load-demonstrations.js';
import { codingOf } from './load-preferences.js';
import { printSummary } from './print-summary.js';
import { printPeakMemory, trainingMemory } from './training-memory.js';
import { trainingObserver } from './training-observer.js';
import { optimizerOf, scheduleOf } from './training-settings.js';

/** Runs `metaapo sft`. */
export async function runSftCommand(name: string, flags: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, flags.set);
  const recipe = parseSftRecipe(value, where);
  const { training, output } = recipe;
  const plugins = await loadPlugins(recipe.plugins);
  await checkParts(plugins, { trackers: recipe.trackers });
  await inRunDirectory(recipe, { flags, plugins }, async ({ policy, trackers, sources, signal }) => {
    refuseRewardModel(policy);
    const { train, held } = await loadDemonstrations(recipe, codingOf(policy), sources);
    const plan = planBatches({ rowCount: train.length, ...training });
    await keepRecipe(recipe);
    const summary = await runTraining({
      ...training,
      schedule: scheduleOf(training, plan.totalSteps),
      optimizer: optimizerOf(training),
      output,
      model: policy.model,
      objective: sft(),
      rows: train,
      plan,
      start: initialTrainerState(sft()),
      key: demonstrationKey(recipe, train),
      resume: flags.resume ?? false,
      heldOut: held.length === 0 ? undefined : { rows: held },
      trackers,
      observer: trainingObserver(),
      signal,
    });
    printSummary(summary);
    const groups = train.flatMap(({ turns }) => turns.map(groupOfTurn));
    await printPeakMemory(trainingMemory(recipe, policy.model.config, groups));
  });
}
