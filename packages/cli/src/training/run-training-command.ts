import { initialTrainerState, planBatches, runTraining } from '@metaapo/core';
import type { ModelSource, Objective, TextModel, TextScorer } from '@metaapo/core/contracts';
import { openScorer, withReference } from '../model/open-model.js';
import type { CheckedTraining } from '../recipe/checked-recipe.js';
import { say } from '../recipe/compose-parts.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { metaUpdatesLine } from '../run/meta-updates.js';
import { checkpointKey } from './checkpoint-key.js';
import { keepRecipe } from './claim-output.js';
import { inRunDirectory } from './in-run-directory.js';
import { loadRows } from './load-rows.js';
import { openObjective } from './open-objective.js';
import { printAccuracy, printSummary } from './print-summary.js';
import { referencesOf } from './reference-sets.js';
import { inputsOf } from './require-apart.js';
import { optimizerOf, scheduleOf } from './training-settings.js';
import { needsOfTraining, printPeakMemory, trainingMemory, trainingUse } from './training-use.js';

/** Runs `metaapo train`, `metaapo sft` or `metaapo train-reward`: one training of an objective on a data set. */
export async function runTrainingCommand(checked: CheckedTraining, flags: RunFlags): Promise<void> {
  const { recipe, composition, objective, reference } = await openObjective(checked, flags);
  const { training, output } = recipe;
  const open = async (source: ModelSource): Promise<TextModel | TextScorer> => {
    if (objective.trains === 'scorer') return openScorer(source, recipe);
    await source.requireAble?.(needsOfTraining(recipe, objective));
    return source.openPolicy(trainingUse(recipe));
  };
  const inputs = inputsOf(recipe, checked.where);
  await inRunDirectory(recipe, composition, { flags, inputs, open }, async (opened) => {
    const { source, trained, observer, sources, signal, begin } = opened;
    const { train, held } = await loadRows(objective.rowForm, recipe, trained, sources);
    const rows = objective.trainedRows?.(train) ?? train;
    const longestRow = recipe.data.maxLength;
    const referred =
      objective.readsReference && isPolicy(trained)
        ? await withReference(recipe.reference && reference, trained, { longestRow }, async (model) => ({
            fingerprint: model.model.fingerprint,
            sets: await referencesOf(model, objective, [rows, held], training.microBatchTokens, signal),
          }))
        : undefined;
    if (rows.length < train.length) say(leftOut(train.length - rows.length, train.length, objective));
    const plan = planBatches({ rowCount: rows.length, ...training });
    const updates = metaUpdatesLine(objective, [plan.totalSteps]);
    if (updates !== undefined) say(updates);
    await keepRecipe(recipe);
    begin();
    const summary = await runTraining({
      ...training,
      schedule: scheduleOf(training, plan.totalSteps),
      optimizer: optimizerOf(training),
      output,
      model: trained.model,
      objective,
      rows,
      reference: referred?.sets[0],
      plan,
      start: initialTrainerState(objective, training.seed),
      key: checkpointKey({ recipe, trained, rows, held, reference: referred?.fingerprint }),
      resume: flags.resume ?? false,
      allowChanges: flags.allowChanges,
      heldOut: held.length === 0 ? undefined : { rows: held, reference: referred?.sets[1] },
      observer,
      signal,
    });
    printSummary(summary);
    if (objective.trains === 'scorer') printAccuracy(summary, held.length);
    const groups = rows.flatMap((row) => objective.groupsOf(row));
    await printPeakMemory(await trainingMemory(source, recipe, groups, objective.trains));
  });
}

function isPolicy(opened: TextModel | TextScorer): opened is TextModel {
  return !('score' in opened.model);
}

function leftOut(count: number, all: number, { id, options }: Objective): string {
  const why = options.unselected === 'drop' ? ', which have no online pair (unselected: drop)' : '';
  return `${count} of ${all} rows are left out by objective ${id}${why}`;
}
