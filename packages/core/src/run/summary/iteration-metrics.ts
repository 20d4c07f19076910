import { join } from 'node:path';
import type { Metrics, Tracker } from '../../contracts/index.js';
import { openMetrics, readMetrics } from '../../storage/index.js';
import { RUN_FILES } from '../../trainer/index.js';
import type { IterationSummary } from './iteration-summary.js';

/** Names of all metrics of an iteration, logged at its last optimizer step, with what they mean. */
export const ITERATION_METRICS = {
  'selection/rows': 'rows that got new responses',
  'selection/share': 'the same as a share of the rows of the iteration, 0 to 1',
  'responses/count': 'new responses',
  'responses/scored': 'responses that were scored',
  'responses/saved': 'responses that online DPO would have scored besides',
  'responses/truncated': 'new responses cut at the limit',
  'responses/empty': 'new responses without text, left out',
  'responses/unreadable': 'responses whose reward could not be read, left out',
  'responses/unreadable_comparisons': 'comparisons of two responses that could not be read, left out of their rewards',
  'pairs/made': 'online pairs',
  'pairs/tie': 'selected rows without a pair: equal rewards',
  'pairs/duplicates': 'selected rows without a pair: equal texts',
  'pairs/too_few': 'selected rows without a pair: fewer responses than the pair rule takes',
  'pairs/not_better': 'selected rows without a pair: the offline response is the better one',
  'annotation/all': 'mean reward of all new responses',
  'annotation/chosen': 'mean reward of chosen online responses',
  'annotation/rejected': 'mean reward of rejected online responses',
  'annotation/held_out': 'mean reward of new responses to held-out prompts, after the iteration',
  'kl/response': 'KL of the policy at the begin of the iteration from its reference, nats a response',
  'kl/token': 'the same, nats a token',
} as const;

/** The metrics of an iteration; those that it has no value for are left out. */
export function iterationMetrics(summary: IterationSummary): Metrics {
  const { rows, selected, annotations, pairs, rewards, heldOutReward, kl } = summary;
  const values: Record<keyof typeof ITERATION_METRICS, number | null | undefined> = {
    'selection/rows': selected,
    'selection/share': selected / rows,
    'responses/count': pairs.responses,
    'responses/scored': annotations.done,
    'responses/saved': annotations.ofAll - annotations.done,
    'responses/truncated': pairs.truncated,
    'responses/empty': pairs.empty,
    'responses/unreadable': pairs.unreadable,
    'responses/unreadable_comparisons': pairs.unreadableComparisons,
    'pairs/made': pairs.pairs,
    'pairs/tie': pairs.tie,
    'pairs/duplicates': pairs.duplicates,
    'pairs/too_few': pairs['too-few'],
    'pairs/not_better': pairs['not-better'],
    'annotation/all': rewards.all,
    'annotation/chosen': rewards.chosen,
    'annotation/rejected': rewards.rejected,
    'annotation/held_out': heldOutReward,
    'kl/response': kl?.perResponse,
    'kl/token': kl?.perToken,
  };
  const known = Object.entries(values).filter((entry): entry is [string, number] => entry[1] != null);
  return Object.fromEntries(known);
}

/** Writes the metrics of a finished iteration, unless a run that was cut off has done so. */
export async function logIteration(
  output: string,
  step: number,
  summary: IterationSummary,
  trackers: readonly Tracker[],
): Promise<void> {
  const file = join(output, RUN_FILES.metrics);
  const { iteration } = summary;
  const isLogged = (await readMetrics(file)).some((line) => line.iteration === iteration && 'pairs/made' in line);
  if (isLogged) return;
  const metrics = { ...iterationMetrics(summary), iteration };
  await (await openMetrics(file, Number.POSITIVE_INFINITY)).append(step, metrics);
  for (const tracker of trackers) await tracker.log(step, metrics);
}
