import { checkRounds, groupOf, type ReferenceSource, type RunRecipe, runIterations } from '@metaapo/core';
import { type ModelSource, type TextModel, watchedBy } from '@metaapo/core/contracts';
import { withReference } from '../model/open-model.js';
import { type CheckedRun, type CheckedTraining, isCheckedRun } from '../recipe/checked-recipe.js';
import { say } from '../recipe/compose-parts.js';
import { checkResumedRecipe } from '../recipe/resumed-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { withTemplateDate } from '../recipe/template-date.js';
import { writeReport } from '../report/write-report.js';
import { onInterruption } from '../terminal/interruption.js';
import { checkpointKey } from '../training/checkpoint-key.js';
import { claimOutput, keepRecipe } from '../training/claim-output.js';
import { cutEndOf, loadPreferences } from '../training/load-preferences.js';
import { referencesOf } from '../training/reference-sets.js';
import { inputsOf } from '../training/require-apart.js';
import { runTrainingCommand } from '../training/run-training-command.js';
import { optimizerOf, scheduleOf } from '../training/training-settings.js';
import {
  needsOfRun,
  printPeakMemory,
  trainingMemory,
  trainingUse,
  withOnlineResponses,
} from '../training/training-use.js';
import { composeLoop } from './compose-loop.js';
import { expectedSteps, metaUpdatesLine } from './meta-updates.js';
import { planSelection } from './plan-selection.js';
import { printRunSummary } from './print-run-summary.js';

/** Runs `metaapo run`. A recipe that says nothing of a run is one offline training, as `metaapo train` does it. */
export function runCommand(checked: CheckedRun | CheckedTraining, flags: RunFlags): Promise<void> {
  return isCheckedRun(checked) ? runWholeLoop(checked, flags) : runTrainingCommand(checked, flags);
}

async function runWholeLoop({ where, ...parsed }: CheckedRun, flags: RunFlags): Promise<void> {
  const { resume = false, allowChanges = false } = flags;
  const dated = await withTemplateDate(parsed.recipe, resume);
  const { recipe, composition, objective, reference } = await composeLoop({ ...parsed, recipe: dated });
  if (resume) await checkResumedRecipe(recipe.output, recipe, allowChanges, say);
  const unlock = await claimOutput(recipe.output, { resume, inputs: inputsOf(recipe, where) });
  const { signal, begin, release } = onInterruption();
  let policy: TextModel | undefined;
  try {
    const source = await composition.make('model', { signal });
    await source.requireAble?.(needsOfRun(recipe, objective));
    policy = await source.openPolicy(trainingUse(recipe));
    const parts = await composition.makeAll({ policy, signal });
    checkRounds(parts.annotation, parts.rewardModel);
    const { training, data } = recipe;
    const sources = { report: say, signal };
    const { train, held, texts } = await loadPreferences(recipe, policy, sources);
    const { promptOf, heldPromptOf } = await texts();
    const isReferred = objective.readsReference !== false;
    const referred =
      isReferred || recipe.responsesFrom === 'both'
        ? await withReference(recipe.reference && reference, policy, { longestRow: data.maxLength }, async (model) => {
            const sets = isReferred && objective.rowForm === 'preference' ? [held] : [];
            const [heldOut] = await referencesOf(model, undefined, sets, training.microBatchTokens, signal);
            return { fingerprint: model.model.fingerprint, heldOut };
          })
        : undefined;
    const planned = await planSelection(recipe, { composition, objective }, train);
    const updates = metaUpdatesLine(objective, expectedSteps(recipe, objective, planned));
    if (updates !== undefined) say(updates);
    await keepRecipe(recipe);
    begin();
    const summary = await runIterations({
      ...recipe,
      ...training,
      parts: { ...parts, objective },
      policy: policy.model,
      cutEnd: cutEndOf(policy),
      openReference: (from) => openReferenceOf(from, { source, reference }, recipe),
      startsAsReference: recipe.reference === undefined,
      rows: train,
      promptOf,
      scheduleOf: (totalSteps) => scheduleOf(training, totalSteps),
      optimizer: optimizerOf(training),
      evaluation: held.length === 0 ? undefined : { rows: held, reference: referred?.heldOut },
      rewardEvaluation:
        recipe.evaluateRewards === undefined
          ? undefined
          : { rows: held.slice(0, recipe.evaluateRewards), promptOf: heldPromptOf },
      key: checkpointKey({ recipe, trained: policy, rows: train, held, reference: referred?.fingerprint }),
      allowChanges,
      observer: watchedBy(parts.trackers),
      signal,
    });
    printRunSummary(summary);
    const groups = train.map((row) => withOnlineResponses(groupOf(row)));
    await printPeakMemory(await trainingMemory(source, recipe, groups));
    process.stdout.write(`Report: ${await writeReport([recipe.output])}\n`);
  } finally {
    await composition.dispose();
    policy?.model.dispose();
    release();
    await unlock();
  }
}

/** Opens the reference of an iteration: the recipe's, the policy as it started, or a saved one. */
async function openReferenceOf(
  from: ReferenceSource,
  { source, reference }: { readonly source: ModelSource; readonly reference: ModelSource },
  { data, responsesFrom, cachedTokens }: RunRecipe,
): Promise<TextModel['model']> {
  const use = { longestRow: data.maxLength, ...(responsesFrom === 'both' && { cachedTokens }) };
  if (from === 'first') return (await reference.openReference('start', use)).model;
  return (await source.openReference(from === 'start' ? 'start' : from.directory, use)).model;
}
