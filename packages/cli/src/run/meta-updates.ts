import { planBatches, type RunRecipe } from '@metaapo/core';
import type { Objective } from '@metaapo/core/contracts';
import type { PlannedIteration } from './plan-selection.js';

type Plan = Parameters<typeof planBatches>[0];

/** Optimizer steps of each iteration, if every row that is selected gives something to train. */
export function expectedSteps(
  { training }: Pick<RunRecipe, 'training'>,
  { options }: Pick<Objective, 'options'>,
  iterations: readonly PlannedIteration[],
): readonly number[] {
  const isKept = options.unselected === 'keep';
  return iterations.map(({ rows, expected }) => stepsOf({ ...training, rowCount: isKept ? rows : expected }));
}

const stepsOf = (plan: Plan): number => planBatches(plan).totalSteps;

/**
 * What is said of the updates of a meta-learner before a training; nothing where none is trained.
 * @param stepsOfIterations optimizer steps of each iteration; one number of a training alone
 * @returns a sentence; where no update is expected, a warning with the remedy
 */
export function metaUpdatesLine(
  { metaUpdates, options }: Pick<Objective, 'metaUpdates' | 'options'>,
  stepsOfIterations: readonly number[],
): string | undefined {
  if (metaUpdates === undefined) return undefined;
  const { updateEvery, leftover } = options.metaLearner as {
    readonly updateEvery: number;
    readonly leftover?: 'carry' | 'discard';
  };
  const updates = metaUpdates(stepsOfIterations);
  const all = stepsOfIterations.reduce((sum, steps) => sum + steps, 0);
  const counted =
    leftover === 'discard' ? ', counted from the first of each iteration (metaLearner.leftover: discard)' : '';
  const steps = `${all} optimizer step${all === 1 ? '' : 's'}`;
  if (updates > 0)
    return `Updates of the meta-learner, expected: ${updates}, one in ${updateEvery} of ${steps}${counted}`;
  return (
    `Warning: the meta-learner will not be updated: that takes ${updateEvery} optimizer steps${counted}, and this run is ` +
    `expected to have ${all}. Lower metaLearner.updateEvery or training.batchSize, or train more rows`
  );
}
