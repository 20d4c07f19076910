import { join } from 'node:path';
import {
  composeRun,
  groupOf,
  initialTrainerState,
  parseRewardRecipe,
  parseTrainingRecipe,
  planBatches,
  RUN_FILES,
  runTraining,
} from '@metaapo/core';
import { MetaapoError, type TokenizedPreference } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import type { LoadedTextModel } from '@metaapo/models';
import { stringify } from 'yaml';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import { checkResumedRecipe } from '../recipe/resumed-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { writeReport } from '../report/write-report.js';
import { onInterruption } from '../terminal/interruption.js';
import { checkpointKey } from './checkpoint-key.js';
import { claimOutput } from './claim-output.js';
import { codingOf, loadPreferences } from './load-preferences.js';
import { metaLearnerPart, metaLearnerStart } from './meta-training.js';
import { openPolicy, type Sources } from './open-models.js';
import { printAccuracy, printSummary } from './print-summary.js';
import { referencesOf } from './reference-sets.js';
import { trainingObserver } from './training-observer.js';
import { optimizerOf, scheduleOf } from './training-settings.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs `metaapo train`, or `metaapo train-reward`, whose model gives rewards where a policy gives log-probabilities. */
export async function runTrainingCommand(name: string, flags: RunFlags, kind: 'policy' | 'reward'): Promise<void> {
  const { set: overrides, resume = false, allowChanges = false } = flags;
  const { where, value } = await readRecipe(name, overrides);
  const recipe = (kind === 'reward' ? parseRewardRecipe : parseTrainingRecipe)(value, where);
  const plugins = await loadPlugins(recipe.plugins);
  const metaLearner = metaLearnerPart(recipe.metaLearner);
  const parts = await composeRun({ plugins, recipe: { loss: recipe.loss, metaLearner, trackers: recipe.trackers } });
  if (resume) await checkResumedRecipe(recipe.output, recipe, allowChanges, say);
  const unlock = await claimOutput(recipe.output, resume);
  const interruption = onInterruption();
  const backend = await selectBackend(recipe.backend === undefined ? {} : { prefer: recipe.backend });
  say(`Backend: ${backend.reason}`);
  const sources: Sources = { revision: recipe.revision, report: say, signal: interruption.signal };
  const head = kind === 'reward' ? { newHead: { seed: recipe.training.seed } } : {};
  const policy = await openPolicy(recipe, sources, head);
  try {
    if (kind === 'policy') refuseRewardModel(policy);
    const { train, held } = await loadPreferences(recipe, codingOf(policy), sources);
    const rows = recipe.metaLearner !== undefined && recipe.unselected === 'drop' ? train.filter(isPaired) : train;
    const references = await referencesOf(
      recipe,
      policy,
      [rows, held],
      parts.loss.isReferenceFree,
      sources,
      backend.id,
    );
    const plan = planBatches({ rowCount: rows.length, ...recipe.training });
    await writeAtomically(join(recipe.output, RUN_FILES.recipe), stringify(recipe));
    const summary = await runTraining({
      ...recipe.training,
      schedule: scheduleOf(recipe.training, plan.totalSteps),
      optimizer: optimizerOf(recipe.training),
      output: recipe.output,
      model: policy.model,
      loss: parts.loss,
      rows,
      reference: references[0],
      plan,
      meta: parts.metaLearner && {
        learner: parts.metaLearner,
        updateEvery: recipe.metaLearner!.updateEvery,
      },
      start: initialTrainerState(
        parts.metaLearner && (await metaLearnerStart(recipe.metaLearner!, parts.metaLearner, recipe.training.seed)),
      ),
      key: checkpointKey(recipe, rows),
      resume,
      evaluation: held.length === 0 ? undefined : { rows: held, reference: references[1] },
      trackers: parts.trackers,
      observer: trainingObserver(),
      signal: interruption.signal,
    });
    printSummary(summary);
    if (kind === 'reward') printAccuracy(summary, held.length);
    process.stdout.write(`Report: ${await writeReport([recipe.output])}\n`);
  } finally {
    for (const tracker of parts.trackers) await tracker.close();
    policy.model.dispose();
    interruption.release();
    await unlock();
  }
}

function refuseRewardModel({ model, directory }: LoadedTextModel): void {
  if (model.config.task === 'causal-lm') return;
  throw new MetaapoError('config', 'a reward model cannot be trained as a policy', {
    where: directory,
    expected: 'a language model',
    got: 'a model with a classification head',
    remedy: 'Train it with `metaapo train-reward`',
  });
}

const isPaired = (row: TokenizedPreference): boolean => groupOf(row).responses.length === 4;
