import { checkRounds, groupOf, planBatches, type RunRecipe } from '@metaapo/core';
import {
  type ModelSource,
  type Objective,
  type RowForm,
  type RowsByForm,
  type TokenizedPreference,
  weightBytes,
} from '@metaapo/core/contracts';
import { stringify } from 'yaml';
import { type CheckedRun, type CheckedTraining, isCheckedRun } from '../recipe/checked-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { print } from '../terminal/print.js';
import { requireUsableOutput } from '../training/claim-output.js';
import { loadPreferences } from '../training/load-preferences.js';
import { loadRows, rowWords } from '../training/load-rows.js';
import { type OpenedObjective, openObjective } from '../training/open-objective.js';
import { inputsOf } from '../training/require-apart.js';
import { needsOfRun, needsOfTraining, withOnlineResponses } from '../training/training-use.js';
import { type ComposedLoop, composeLoop } from './compose-loop.js';
import { expectedSteps, metaUpdatesLine } from './meta-updates.js';
import { type PlannedData, planData } from './plan-data.js';
import { diskOf } from './plan-disk.js';
import { printFit } from './plan-memory.js';
import { type PlannedIteration, planSelection, responsesOf } from './plan-selection.js';
import { estimateTime } from './plan-time.js';
import { runWork, trainingWork } from './plan-work.js';

/** `metaapo run --dry-run`: what a run would do, without weights. */
export function planRun(checked: CheckedRun | CheckedTraining, flags: RunFlags): Promise<void> {
  return isCheckedRun(checked) ? planWholeLoop(checked, flags) : planTraining(checked, flags);
}

async function planWholeLoop(checked: CheckedRun, { resume = false }: RunFlags): Promise<void> {
  const composed = await composeLoop(checked);
  try {
    if (!resume) requireUsableOutput(composed.recipe.output, inputsOf(composed.recipe, checked.where));
    await printLoop(composed);
  } finally {
    await composed.composition.dispose();
  }
}

async function printLoop({ recipe, composition, objective, reference }: ComposedLoop): Promise<void> {
  const source = await composition.make('model');
  const isReferred = objective.readsReference !== false;
  const isOpened = isReferred || recipe.responsesFrom === 'both';
  // All that the run opens is looked at, and what costs least first.
  const outlooks = await inspectAll(composition);
  checkRounds(
    { id: recipe.annotation.id, ...outlooks.annotation },
    { id: recipe.rewardModel.id, ...outlooks.rewardModel },
  );
  if (isOpened) await reference.describe('policy');
  await source.requireAble?.(needsOfRun(recipe, objective));
  const { rows, held, estimate } = await planPreferences(source, recipe);
  printFit(source, estimate, {
    'reference, while it is asked': isOpened ? await weightBytes(reference) : undefined,
    'model of the sampler': outlooks.sampler.memory,
    'reward model': outlooks.rewardModel.memory,
    'reward models of the annotation rule': outlooks.annotation.memory,
  });
  print(diskOf(recipe, estimate, recipe.iterations));
  const iterations = await planSelection(recipe, { composition, objective }, rows);
  const steps = expectedSteps(recipe, objective, iterations);
  printIterations(recipe, rows.length, iterations, steps);
  printUpdates(objective, steps);
  const work = runWork({
    ...{ recipe, estimate, rows, held, iterations, steps, isReferred },
    isScored: objective.scoring !== undefined,
    isAllTrained: objective.options.unselected === 'keep',
    responses: responsesOf(recipe),
  });
  print(await estimateTime(source, recipe, work));
  printDefaults(recipe);
}

/** What the parts that a run opens say of themselves: their files are there, and their servers answer. */
async function inspectAll(composition: ComposedLoop['composition']) {
  return {
    sampler: await composition.inspect('sampler'),
    rewardModel: await composition.inspect('rewardModel'),
    annotation: await composition.inspect('annotation'),
  };
}

/** `metaapo train --dry-run`, and that of `sft` and `train-reward`. */
export async function planTraining(checked: CheckedTraining, flags: RunFlags): Promise<void> {
  const opened = await openObjective(checked, flags);
  try {
    if (flags.resume !== true) requireUsableOutput(opened.recipe.output, inputsOf(opened.recipe, checked.where));
    await printTraining(opened);
  } finally {
    await opened.composition.dispose();
  }
}

async function printTraining({ recipe, composition, objective, reference }: OpenedObjective): Promise<void> {
  const { rowForm, trains } = objective;
  const isReferred = objective.readsReference !== false;
  if (isReferred && recipe.reference !== undefined) await reference.describe('policy');
  const source = await composition.make('model');
  if (trains === 'policy') await source.requireAble?.(needsOfTraining(recipe, objective));
  const { rows, held, estimate } = await planData<RowsByForm[RowForm]>(source, recipe, {
    load: (coding, sources) => loadRows(rowForm, recipe, coding, sources),
    groupsOf: (row) => objective.groupsOf(row),
    trains,
  });
  printFit(source, estimate);
  print(diskOf(recipe, estimate));
  const used = objective.trainedRows?.(rows) ?? rows;
  const { length } = used;
  const { totalSteps } = planBatches({ rowCount: length, ...recipe.training });
  print(`Training: ${length} ${rowWords(rowForm)}, ${totalSteps} steps of ${recipe.training.batchSize}`);
  printUpdates(objective, [totalSteps]);
  const groupsOf = (some: typeof rows) => some.flatMap((row) => objective.groupsOf(row));
  const planned = { groups: groupsOf(used), heldGroups: groupsOf(held), isReferred, totalSteps, trains };
  print(await estimateTime(source, recipe, trainingWork({ recipe, estimate, ...planned })));
  printDefaults(recipe);
}

function planPreferences(source: ModelSource, recipe: RunRecipe): Promise<PlannedData<TokenizedPreference>> {
  return planData(source, recipe, {
    load: (coding, sources) => loadPreferences(recipe, coding, sources),
    groupsOf: (row) => [withOnlineResponses(groupOf(row))],
  });
}

function printUpdates(objective: Objective, steps: readonly number[]): void {
  const line = metaUpdatesLine(objective, steps);
  if (line !== undefined) print(line);
}

function printIterations(
  recipe: RunRecipe,
  rows: number,
  iterations: readonly PlannedIteration[],
  steps: readonly number[],
): void {
  const { training } = recipe;
  const responses = responsesOf(recipe);
  const sum = (name: keyof PlannedIteration): number => iterations.reduce((all, one) => all + one[name], 0);
  for (const [index, { rows: count, expected }] of iterations.entries()) {
    const sampled = `about ${expected} sampled`;
    print(
      `Iteration ${index + 1}: ${count} rows, ${sampled}, ${steps[index]} steps of ${training.batchSize} if no pair ties`,
    );
  }
  if (sum('rows') < rows)
    print(`${rows - sum('rows')} rows are in no iteration: raise promptsPerIteration or iterations`);
  const calls = (prompts: number): number => prompts * responses;
  print(
    `At most ${sum('most')} prompts are sampled: ${calls(sum('most'))} responses and reward calls, of ${calls(sum('rows'))} for online DPO`,
  );
  print(
    `Expected: ${sum('expected')} prompts, ${calls(sum('expected'))} responses and reward calls, if the meta-learner stayed as it starts and all scores were 0`,
  );
  const { id } = recipe.annotation;
  if (id !== 'all') {
    print(
      `The annotation rule ${id} decides which responses get a reward call: these calls are what \`all\` would make`,
    );
  }
}

function printDefaults(recipe: object): void {
  print(`\nThe recipe with every default in force:\n\n${stringify(recipe).trimEnd()}`);
}
