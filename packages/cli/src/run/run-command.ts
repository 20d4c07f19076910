import { join } from 'node:path';
import {
  composeRun,
  groupOf,
  type IterationParts,
  isRunRecipe,
  parseRunRecipe,
  type ReferenceSource,
  RUN_FILES,
  type RunRecipe,
  runIterations,
} from '@metaapo/core';
import type { PartContext } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import type { LanguageModel, LoadedTextModel } from '@metaapo/models';
import { stringify } from 'yaml';
import { checkRecipeParts } from '../recipe/check-recipe-parts.js';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import { checkResumedRecipe } from '../recipe/resumed-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { writeReport } from '../report/write-report.js';
import { onInterruption } from '../terminal/interruption.js';
import { checkpointKey } from '../training/checkpoint-key.js';
import { chooseBackend } from '../training/choose-backend.js';
import { claimOutput } from '../training/claim-output.js';
import { codingOf, loadPreferences } from '../training/load-preferences.js';
import { metaLearnerPart, metaLearnerStart } from '../training/meta-training.js';
import { modelDirectory, openPolicy, openReference, type Sources } from '../training/open-models.js';
import { referencesOf } from '../training/reference-sets.js';
import { runTrainingCommand } from '../training/run-training-command.js';
import { printPeakMemory, trainingMemory, withOnlineResponses } from '../training/training-memory.js';
import { optimizerOf, scheduleOf } from '../training/training-settings.js';
import { printRunSummary } from './print-run-summary.js';
import { runObserver } from './run-observer.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs `metaapo run`. A recipe that says nothing of a run is one offline training, as `metaapo train` does it. */
export async function runCommand(name: string, flags: RunFlags): Promise<void> {
  const { resume = false, allowChanges = false } = flags;
  const { where, value } = await readRecipe(name, flags.set);
  if (!isRunRecipe(value)) return runTrainingCommand(name, flags, 'policy');
  const recipe = parseRunRecipe(value, where);
  const plugins = await loadPlugins(recipe.plugins);
  await checkRecipeParts(recipe, plugins);
  if (resume) await checkResumedRecipe(recipe.output, recipe, allowChanges, say);
  const unlock = await claimOutput(recipe.output, resume);
  const interruption = onInterruption();
  const sources: Sources = { revision: recipe.revision, report: say, signal: interruption.signal };
  let policy: LoadedTextModel | undefined;
  let parts: IterationParts | undefined;
  try {
    await chooseBackend(recipe, say);
    policy = await openPolicy(recipe, sources, { cachedTokens: recipe.cachedTokens });
    const context: PartContext = {
      baseDirectory: process.cwd(),
      policy,
      modelDirectory: (model) => modelDirectory(model, sources),
      report: say,
      env: process.env,
      signal: interruption.signal,
    };
    const composed = await composeRun({
      plugins,
      recipe: { ...recipe, metaLearner: metaLearnerPart(recipe.metaLearner) },
      context,
    });
    parts = composed as IterationParts;
    const { train, held, promptOf, heldPromptOf } = await loadPreferences(recipe, codingOf(policy), sources);
    const isFree = parts.loss.isReferenceFree;
    const [heldReference] = await referencesOf(recipe, policy, [held], isFree, sources);
    await writeAtomically(join(recipe.output, RUN_FILES.recipe), stringify(recipe));
    const { training } = recipe;
    const summary = await runIterations({
      ...recipe,
      ...training,
      parts,
      policy: policy.model,
      openReference: (source) => openReferenceOf(source, recipe, sources),
      startsAsReference: recipe.reference === undefined,
      rows: train,
      promptOf,
      metaUpdateEvery: recipe.metaLearner.updateEvery,
      lossWeight: recipe.metaLearner.lossWeight,
      metaStart: await metaLearnerStart(recipe.metaLearner, parts.metaLearner, training.seed),
      scheduleOf: (totalSteps) => scheduleOf(training, totalSteps),
      optimizer: optimizerOf(training),
      evaluation: held.length === 0 ? undefined : { rows: held, reference: heldReference },
      rewardEvaluation:
        recipe.evaluateRewards === undefined
          ? undefined
          : { rows: held.slice(0, recipe.evaluateRewards), promptOf: heldPromptOf },
      key: checkpointKey(recipe, train),
      allowChanges,
      observer: runObserver(),
      signal: interruption.signal,
    });
    printRunSummary(summary);
    const groups = train.map((row) => withOnlineResponses(groupOf(row)));
    await printPeakMemory(trainingMemory(recipe, policy.model.config, groups, recipe.cachedTokens));
    process.stdout.write(`Report: ${await writeReport([recipe.output])}\n`);
  } finally {
    for (const tracker of parts?.trackers ?? []) await tracker.close();
    await parts?.sampler.dispose?.();
    await parts?.rewardModel.dispose?.();
    policy?.model.dispose();
    interruption.release();
    await unlock();
  }
}

/** Opens the reference of an iteration: the recipe's, the policy as it started, or a saved one. */
function openReferenceOf(source: ReferenceSource, recipe: RunRecipe, sources: Sources): Promise<LanguageModel> {
  const start = recipe.adapter ?? recipe.model;
  if (source === 'first') return openReference(recipe.reference ?? start, recipe, sources);
  if (source === 'start') return openReference(start, recipe, sources);
  return openReference(source.directory, recipe, sources);
}
