import { composeRun, groupOf, initialTrainerState, planBatches, preference, reward, runTraining } from '@metaapo/core';
import { checkRecipeParts, outputOf } from '../recipe/check-recipe-parts.js';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { checkpointKey } from './checkpoint-key.js';
import { inRunDirectory, keepRecipe, refuseRewardModel } from './in-run-directory.js';
import { codingOf, loadPreferences } from './load-preferences.js';
import { metaLearnerPart, metaLearnerStart } from './meta-training.js';
import { printAccuracy, printSummary } from './print-summary.js';
import { referencesOf } from './reference-sets.js';
import { printPeakMemory, trainingMemory } from './training-memory.js';
import { trainingObserver } from './training-observer.js';
import { optimizerOf, scheduleOf } from './training-settings.js';

/** Runs `metaapo train`, or `metaapo train-reward`, whose model gives rewards where a policy gives log-probabilities. */
export async function runTrainingCommand(name: string, flags: RunFlags, kind: 'policy' | 'reward'): Promise<void> {
  const recipe = await readTrainingRecipe(name, flags.set, kind);
  const plugins = await loadPlugins(recipe.plugins);
  const modelGives = outputOf(kind);
  await checkRecipeParts(recipe, plugins, modelGives);
  const metaLearner = metaLearnerPart(recipe.metaLearner);
  const parts = await composeRun({ plugins, recipe: { loss: recipe.loss, metaLearner } });
  const { training, output } = recipe;
  const newHead = kind === 'reward' ? { seed: training.seed } : undefined;
  await inRunDirectory(recipe, { flags, plugins, newHead }, async ({ policy, trackers, sources, signal }) => {
    if (kind === 'policy') refuseRewardModel(policy);
    const { train, held } = await loadPreferences(recipe, codingOf(policy), sources);
    const section = recipe.metaLearner;
    const learner = parts.metaLearner && {
      ...section,
      learner: parts.metaLearner,
      updateEvery: section!.updateEvery,
      start: await metaLearnerStart(section!, parts.metaLearner, training.seed),
    };
    const objective =
      kind === 'reward'
        ? reward({ loss: parts.loss })
        : preference({ loss: parts.loss, metaLearner: learner, unselected: recipe.unselected });
    const rows = objective.trainedRows!(train);
    const references = await referencesOf(recipe, policy, [rows, held], !objective.readsReference, sources);
    const plan = planBatches({ rowCount: rows.length, ...training });
    await keepRecipe(recipe);
    const summary = await runTraining({
      ...training,
      schedule: scheduleOf(training, plan.totalSteps),
      optimizer: optimizerOf(training),
      output,
      model: policy.model,
      objective,
      rows,
      reference: references[0],
      plan,
      start: initialTrainerState(objective, training.seed),
      key: checkpointKey(recipe, rows),
      resume: flags.resume ?? false,
      heldOut: held.length === 0 ? undefined : { rows: held, reference: references[1] },
      trackers,
      observer: trainingObserver(),
      signal,
    });
    printSummary(summary);
    if (kind === 'reward') printAccuracy(summary, held.length);
    await printPeakMemory(trainingMemory(recipe, policy.model.config, rows.map(groupOf)));
  });
}
