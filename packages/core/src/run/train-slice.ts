import type {
  Objective,
  ObjectiveRows,
  RewardedResponse,
  RowsByForm,
  SampledRow,
  TokenizedPreference,
} from '../contracts/index.js';
import { planBatches } from '../numerics/index.js';
import { isPresent } from '../storage/index.js';
import { runTraining, saveTrainerCheckpoint, type TrainingSummary } from '../trainer/index.js';
import { endedResponse, openedPrompt } from './opened-prompt.js';
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
  const { policy, output, observer } = options;
  const kept = objective.trainedRows?.(rows, { iteration }) ?? rows;
  const referenceOf = new Map(rows.map(({ row }, index) => [row, reference?.[index]]));
  const plan = planBatches({ ...options, rowCount: kept.length, seed: options.seed + iteration });
  const checkpointDirectory = iterationCheckpoint(output, iteration);
  const key = iterationKey(options.key, iteration);
  const isResumed = isPresent(checkpointDirectory);
  if (rows.length > 0 && plan.totalSteps === 0) {
    observer.warning?.(`iteration ${iteration + 1} trains nothing: ${whyNothing(kept.length, rows.length, options)}`);
  }
  const isFresh = options.optimizerState === 'fresh';
  // A run whose policy has no resetMoments is refused before it begins.
  if (isFresh && !isResumed) await policy.resetMoments!();
  const begun = { ...state, ...(isFresh && { optimizerStep: 0 }) };
  const trained = await runTraining<Form>({
    ...options,
    model: policy,
    objective,
    rows: kept,
    reference: reference && kept.map(({ row }) => referenceOf.get(row)!),
    heldOut,
    plan,
    schedule: options.scheduleOf(plan.totalSteps),
    start: { ...begun, step: 0, objective: objective.beginIteration?.(state.objective) ?? state.objective },
    key,
    resume: isResumed,
    journal,
    checkpointDirectory,
    modelDirectory: iterationModel(output, iteration),
    earlierSteps,
    iteration,
  });
  await saveTrainerCheckpoint(checkpointDirectory, policy, trained.state, { ...key, order: plan.order });
  return trained;
}

function whyNothing(kept: number, rows: number, { batchSize }: RunOptions): string {
  if (kept === 0) return `none of its ${rows} rows has an online pair, and others are left out (unselected: drop)`;
  return (
    `its ${kept} rows are fewer than a batch of ${batchSize}, and training.lastBatch is drop. Lower training.batchSize, ` +
    'or set training.lastBatch to keep'
  );
}

/** Rows of rewarded responses, for objectives that train on those; a row without a readable reward is left out. */
export function sampledRows(
  rows: readonly TokenizedPreference[],
  { responses, rewards }: AnnotatedResponses,
  cutEnd?: Int32Array,
): readonly SampledRow[] {
  return rows.flatMap((row): SampledRow[] => {
    const given = rewards.get(row.row)?.rewards ?? [];
    const rewarded = (responses.get(row.row) ?? []).flatMap((response, index): RewardedResponse[] => {
      const reward = given[index];
      if (!isReadable(reward)) return [];
      const tokens = endedResponse(row, response, cutEnd);
      const logprobs = response.logprobs && paddedWithNan(response.logprobs, tokens.length);
      return [
        { tokens, reward, ...(logprobs && { logprobs }), ...(response.source === 'reference' && FROM_REFERENCE) },
      ];
    });
    return rewarded.length === 0 ? [] : [{ row: row.row, prompt: openedPrompt(row), responses: rewarded }];
  });
}

const FROM_REFERENCE = { source: 'reference' } as const;

/** Log-probabilities of tokens of which the last ones were not drawn. */
function paddedWithNan(logprobs: Float32Array, length: number): Float32Array {
  if (logprobs.length === length) return logprobs;
  const padded = new Float32Array(length).fill(Number.NaN);
  padded.set(logprobs);
  return padded;
}
