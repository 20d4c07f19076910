import { join } from 'node:path';
import type { Metrics, RunEvents } from '../../contracts/index.js';
import type { IterationSummary } from '../../journal/index.js';
import { openMetrics, RUN_FILES, readMetrics } from '../../storage/index.js';

type Metric = readonly [meaning: string, read: (summary: IterationSummary) => number | undefined];

/** Every metric of an iteration: what it means, and its value. */
const METRICS = {
  'selection/rows': ['rows that got new responses', ({ selected }) => selected],
  'selection/share': ['the same as a share of the rows of the iteration, 0 to 1', (one) => one.selected / one.rows],
  'responses/count': ['new responses', ({ pairs }) => pairs.responses],
  'responses/reference': [
    'those of them that the reference wrote; left out where it was not asked',
    ({ fromReference }) => fromReference?.responses,
  ],
  'responses/scored': ['responses that were scored', ({ annotations }) => annotations.done],
  'responses/saved': ['responses that online DPO would have scored besides', savedCalls],
  'responses/scored_otherwise': [
    "rewards that the annotation rule's own scorers gave; left out where there are none",
    ({ annotations }) => annotations.otherwise,
  ],
  'responses/truncated': ['new responses cut at the limit', ({ pairs }) => pairs.truncated],
  'responses/empty': ['new responses without text, left out', ({ pairs }) => pairs.empty],
  'responses/unreadable': ['responses whose reward could not be read, left out', ({ pairs }) => pairs.unreadable],
  'responses/unreadable_comparisons': [
    'comparisons of two responses that could not be read, left out of their rewards',
    ({ pairs }) => pairs.unreadableComparisons,
  ],
  'pairs/made': ['online pairs', ({ pairs }) => pairs.pairs],
  'pairs/tie': ['selected rows without a pair: equal rewards', ({ pairs }) => pairs.tie],
  'pairs/duplicates': ['selected rows without a pair: equal texts', ({ pairs }) => pairs.duplicates],
  'pairs/too_few': [
    'selected rows without a pair: fewer responses than the pair rule takes',
    ({ pairs }) => pairs['too-few'],
  ],
  'pairs/not_better': [
    'selected rows without a pair: the offline response is the better one',
    ({ pairs }) => pairs['not-better'],
  ],
  'annotation/all': ['mean reward of all new responses', ({ rewards }) => rewards.all],
  'annotation/reference': [
    'mean reward of the new responses that the reference wrote',
    ({ fromReference }) => fromReference?.reward,
  ],
  'annotation/chosen': ['mean reward of chosen online responses', ({ rewards }) => rewards.chosen],
  'annotation/rejected': ['mean reward of rejected online responses', ({ rewards }) => rewards.rejected],
  'annotation/held_out': [
    'mean reward of new responses to held-out prompts, after the iteration',
    ({ heldOutReward }) => heldOutReward,
  ],
  'kl/response': [
    'KL of the policy at the begin of the iteration from its reference, nats a response',
    ({ kl }) => kl?.perResponse,
  ],
  'kl/token': ['the same, nats a token', ({ kl }) => kl?.perToken],
} as const satisfies Readonly<Record<string, Metric>>;

function savedCalls({ annotations }: IterationSummary): number {
  return annotations.ofAll - annotations.done;
}

/** Names of all metrics of an iteration, logged at its last optimizer step, with what they mean. */
export const ITERATION_METRICS = Object.fromEntries(
  Object.entries(METRICS).map(([name, [meaning]]) => [name, meaning]),
) as Readonly<Record<keyof typeof METRICS, string>>;

/** The metrics of an iteration; those that it has no value for are left out. */
export function iterationMetrics(summary: IterationSummary): Metrics {
  const values = Object.entries<Metric>(METRICS).map(([name, [, read]]) => [name, read(summary)] as const);
  const isKnown = (entry: (typeof values)[number]): entry is readonly [string, number] => Number.isFinite(entry[1]);
  return Object.fromEntries(values.filter(isKnown));
}

/** Writes the metrics of a finished iteration, unless a run that was cut off has done so. */
export async function logIteration(
  output: string,
  step: number,
  summary: IterationSummary,
  observer: RunEvents,
): Promise<void> {
  const file = join(output, RUN_FILES.metrics);
  const { iteration } = summary;
  const isLogged = (await readMetrics(file)).some((line) => line.iteration === iteration && 'pairs/made' in line);
  if (isLogged) return;
  const metrics = { ...iterationMetrics(summary), iteration };
  await (await openMetrics(file, Number.POSITIVE_INFINITY)).append(step, metrics);
  await observer.log?.(step, metrics);
}
