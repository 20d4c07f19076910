import {
  checkLossReads,
  groupOf,
  initialTrainerState,
  planBatches,
  preference,
  reward,
  runTraining,
} from '@metaapo/core';
import type { ModelSource, TextModel, TextScorer } from '@metaapo/core/contracts';
import { openScorer, withReference } from '../model/open-model.js';
import { composeParts, referenceSource } from '../recipe/compose-parts.js';
import type { RawRecipe } from '../recipe/read-recipe.js';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { checkpointKey } from './checkpoint-key.js';
import { keepRecipe } from './claim-output.js';
import { inRunDirectory } from './in-run-directory.js';
import { loadPreferences } from './load-preferences.js';
import { metaLearnerStart } from './meta-training.js';
import { printAccuracy, printSummary } from './print-summary.js';
import { referencesOf } from './reference-sets.js';
import { inputsOf } from './require-apart.js';
import { optimizerOf, scheduleOf } from './training-settings.js';
import { printPeakMemory, trainingMemory, trainingUse } from './training-use.js';

/** Runs `metaapo train`, or `metaapo train-reward`, whose model gives rewards where a policy gives log-probabilities. */
export async function runTrainingCommand(
  named: string | RawRecipe,
  flags: RunFlags,
  kind: 'policy' | 'reward',
): Promise<void> {
  const recipe = await readTrainingRecipe(named, flags.set, kind);
  const composition = await composeParts(recipe);
  const modelGives = kind === 'reward' ? 'rewards' : 'logprobs';
  const loss = await composition.make('loss');
  checkLossReads(loss, modelGives);
  const metaLearner = await composition.make('metaLearner');
  const { training, output } = recipe;
  const open = (source: ModelSource): Promise<TextModel | TextScorer> =>
    kind === 'reward' ? openScorer(source, recipe) : source.openPolicy(trainingUse(recipe));
  const inputs = inputsOf(recipe, typeof named === 'string' ? named : named.where);
  await inRunDirectory(recipe, composition, { flags, inputs, open }, async (opened) => {
    const { source, trained, observer, sources, signal } = opened;
    const { train, held } = await loadPreferences(recipe, trained, sources);
    const section = recipe.metaLearner;
    const learner = metaLearner && {
      ...section,
      learner: metaLearner,
      updateEvery: section!.updateEvery,
      start: await metaLearnerStart(section!, metaLearner, training.seed),
    };
    const objective =
      kind === 'reward' ? reward({ loss }) : preference({ loss, metaLearner: learner, unselected: recipe.unselected });
    const rows = objective.trainedRows!(train);
    const reference = await referenceSource(composition, loss);
    const references =
      objective.readsReference && isPolicy(trained)
        ? await withReference(recipe.reference && reference, trained, { longestRow: recipe.data.maxLength }, (model) =>
            referencesOf(model, [rows, held], training.microBatchTokens, signal),
          )
        : [];
    const plan = planBatches({ rowCount: rows.length, ...training });
    await keepRecipe(recipe);
    const summary = await runTraining({
      ...training,
      schedule: scheduleOf(training, plan.totalSteps),
      optimizer: optimizerOf(training),
      output,
      model: trained.model,
      objective,
      rows,
      reference: references[0],
      plan,
      start: initialTrainerState(objective, training.seed),
      key: checkpointKey(recipe.model, rows),
      resume: flags.resume ?? false,
      heldOut: held.length === 0 ? undefined : { rows: held, reference: references[1] },
      observer,
      signal,
    });
    printSummary(summary);
    if (kind === 'reward') printAccuracy(summary, held.length);
    const trains = kind === 'reward' ? 'scorer' : 'policy';
    await printPeakMemory(await trainingMemory(source, recipe, rows.map(groupOf), trains));
  });
}

function isPolicy(opened: TextModel | TextScorer): opened is TextModel {
  return !('score' in opened.model);
}
