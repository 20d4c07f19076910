import { existsSync } from 'node:fs';
import type {
  Objective,
  ObjectiveRows,
  RewardedResponse,
  RowsByForm,
  SampledRow,
  TokenizedPreference,
} from '../contracts/index.js';
import { planBatches } from '../numerics/index.js';
import { runTraining, saveTrainerCheckpoint, type TrainingSummary } from '../trainer/index.js';
import { openedPrompt } from './opened-prompt.js';
import { type AnnotatedResponses, isReadable } from './pairs/build-pairs.js';
import { iterationCheckpoint, iterationKey, iterationModel } from './resume/iteration-files.js';
import type { IterationContext } from './run-iteration.js';
import type { RunOptions } from './run-options.js';

/** What an iteration trains. */
export interface SliceTraining<Form extends 'preference' | 'sampled'> extends ObjectiveRows<RowsByForm[Form]> {
  readonly objective: Objective<Form>;
  readonly heldOut?: ObjectiveRows<RowsByForm[Form]> | undefined;
}

/** Trains the policy on what a slice gave, or goes on with it. */
export async function trainSlice<Form extends 'preference' | 'sampled'>(
  options: RunOptions,
  { iteration, state, earlierSteps, journal }: IterationContext,
  { objective, rows, reference, heldOut }: SliceTraining<Form>,
): Promise<TrainingSummary> {
  const { policy, output } = options;
  const kept = objective.trainedRows?.(rows, { iteration }) ?? rows;
  const referenceOf = new Map(rows.map(({ row }, index) => [row, reference?.[index]]));
  const plan = planBatches({ ...options, rowCount: kept.length, seed: options.seed + iteration });
  const checkpointDirectory = iterationCheckpoint(output, iteration);
  const key = iterationKey(options.key, iteration);
  const trained = await runTraining<Form>({
    ...options,
    model: policy,
    objective,
    rows: kept,
    reference: reference && kept.map(({ row }) => referenceOf.get(row)!),
    heldOut,
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
  await saveTrainerCheckpoint(checkpointDirectory, policy, trained.state, { ...key, order: plan.order });
  return trained;
}

/** Rows of rewarded responses, for objectives that train on those; a row without a readable reward is left out. */
export function sampledRows(
  rows: readonly TokenizedPreference[],
  { responses, rewards }: AnnotatedResponses,
): readonly SampledRow[] {
  return rows.flatMap((row): SampledRow[] => {
    const given = rewards.get(row.row)?.rewards ?? [];
    const rewarded = (responses.get(row.row) ?? []).flatMap(
      ({ tokens, logprobs, source }, index): RewardedResponse[] => {
        const reward = given[index];
        if (!isReadable(reward)) return [];
        return [{ tokens, reward, ...(logprobs && { logprobs }), ...(source === 'reference' && { source }) }];
      },
    );
    return rewarded.length === 0 ? [] : [{ row: row.row, prompt: openedPrompt(row), responses: rewarded }];
  });
}
