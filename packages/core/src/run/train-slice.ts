import { existsSync } from 'node:fs';
import type { TokenizedPreference } from '../contracts/index.js';
import { planBatches } from '../numerics/index.js';
import { type RowLogprobs, runTraining, saveTrainerCheckpoint, type TrainingSummary } from '../trainer/index.js';
import { hasOnlinePair } from './reference/reference-passes.js';
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
  const { parts, policy, output, metaUpdateEvery: updateEvery, lossWeight } = options;
  const isKept = (row: TokenizedPreference): boolean => options.unselected === 'keep' || hasOnlinePair(row);
  const kept = rows.flatMap((row, index) => (isKept(row) ? [index] : []));
  const plan = planBatches({ ...options, rowCount: kept.length, seed: options.seed + iteration });
  const checkpointDirectory = iterationCheckpoint(output, iteration);
  const key = iterationKey(options.key, iteration);
  const trained = await runTraining({
    ...options,
    ...parts,
    model: policy,
    rows: kept.map((index) => rows[index]!),
    reference: reference && kept.map((index) => reference[index]!),
    plan,
    schedule: options.scheduleOf(plan.totalSteps),
    meta: { learner: parts.metaLearner, updateEvery, iteration, lossWeight },
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
