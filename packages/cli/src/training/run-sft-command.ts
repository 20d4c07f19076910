import { groupOfTurn, initialTrainerState, parseSftRecipe, planBatches, runTraining, sft } from '@metaapo/core';
import type { ModelSource, TextModel } from '@metaapo/core/contracts';
import { composeParts } from '../recipe/compose-parts.js';
import { readRecipe } from '../recipe/read-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { demonstrationKey } from './checkpoint-key.js';
import { keepRecipe } from './claim-output.js';
import { inRunDirectory } from './in-run-directory.js';
import { loadDemonstrations } from './load-demonstrations.js';
import { printSummary } from './print-summary.js';
import { inputsOf } from './require-apart.js';
import { optimizerOf, scheduleOf } from './training-settings.js';
import { printPeakMemory, trainingMemory, trainingUse } from './training-use.js';

/** Runs `metaapo sft`. */
export async function runSftCommand(name: string, flags: RunFlags): Promise<void> {
  const { where, value } = await readRecipe(name, flags.set);
  const recipe = parseSftRecipe(value, where);
  const { training, output } = recipe;
  const open = (source: ModelSource): Promise<TextModel> => source.openPolicy(trainingUse(recipe));
  await inRunDirectory(
    recipe,
    await composeParts(recipe),
    { flags, inputs: inputsOf(recipe, name), open },
    async (opened) => {
      const { source, trained: policy, observer, sources, signal } = opened;
      const { train, held } = await loadDemonstrations(recipe, policy, sources);
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
        key: demonstrationKey(recipe.model, train),
        resume: flags.resume ?? false,
        heldOut: held.length === 0 ? undefined : { rows: held },
        observer,
        signal,
      });
      printSummary(summary);
      const groups = train.flatMap(({ turns }) => turns.map(groupOfTurn));
      await printPeakMemory(await trainingMemory(source, recipe, groups));
    },
  );
}
