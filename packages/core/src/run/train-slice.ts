import { existsSync } from 'node:fs';
import type { Objective, TokenizedPreference } from '../contracts/index.js';
import { planBatches } from '../numerics/index.js';
import { preference } from '../objectives/index.js';
import { type RowLogprobs, runTraining, saveTrainerCheckpoint, type TrainingSummary } from '../trainer/index.js';
import { iterationCheckpoint, iterationKey, iterationModel } from './resume/iteration-files.js';
import type { IterationContext } from './run-iteration.js';
import type { RunOptions } from './run-options.js';

/** Trains the policy on the rows of a slice with their online pairs, or goes on with it. */
export async function trainSlice(
  options: RunOptions,
  { iteration, state, earlierSteps, journal }: IterationContext,
  rows: readonly TokenizedPreference[],
  reference: readonly RowLogprobs[] | undefined,
): Promise<TrainingSummary> {
  const { parts, policy, output } = options;
  const objective = objectiveOf(options);
  const kept = objective.trainedRows!(rows, { iteration });
  const referenceOf = new Map(rows.map(({ row }, index) => [row, reference?.[index]]));
  const plan = planBatches({ ...options, rowCount: kept.length, seed: options.seed + iteration });
  const checkpointDirectory = iterationCheckpoint(output, iteration);
  const key = iterationKey(options.key, iteration);
  const trained = await runTraining({
    ...options,
    ...parts,
    model: policy,
    objective,
    rows: kept,
    reference: reference && kept.map(({ row }) => referenceOf.get(row)!),
    heldOut: options.evaluation,
    plan,
    schedule: options.scheduleOf(plan.totalSteps),
    start: { ...state, step: 0 },
    key,
    resume: existsSync(checkpointDirectory),
    journal,
    checkpointDirectory,
    modelDirectory: iterationModel(output, iteration),
    earlierSteps,
    iteration,
  });
  await saveTrainerCheckpoint(checkpointDirectory, policy, trained.state, key);
  return trained;
}

/** What the policy is trained for. */
export function objectiveOf({
  parts,
  metaUpdateEvery: updateEvery,
  lossWeight,
  metaStart: start,
  unselected,
}: RunOptions): Objective<'preference'> {
  const metaLearner = { learner: parts.metaLearner, updateEvery, lossWeight, start };
  return preference({ loss: parts.loss, metaLearner, unselected });
}
