import { join } from 'node:path';
import type { Metrics } from '../contracts/index.js';
import { openMetrics, readMetrics } from '../storage/index.js';
import { RUN_FILES, type TRAINING_METRICS } from '../trainer/index.js';
import type { IterationSummary } from './iteration-summary.js';
import type { RunOptions } from './run-options.js';

type NamedMetrics = Readonly<Partial<Record<keyof typeof TRAINING_METRICS, number>>>;

/** The figures of an iteration as metrics; what it does not have is left out. */
export function iterationMetrics(summary: IterationSummary): Metrics {
  const { rows, selected, annotations, pairs, rewards, heldOutReward, kl } = summary;
  const named: Readonly<Partial<Record<keyof NamedMetrics, number | undefined>>> = {
    'iteration/annotated_share': selected / rows,
    'iteration/reward_calls': annotations.done,
    'iteration/saved_calls': annotations.ofAll - annotations.done,
    'iteration/reward': rewards.all,
    'iteration/reward_chosen': rewards.chosen,
    'iteration/reward_rejected': rewards.rejected,
    'iteration/held_out_reward': heldOutReward,
    'iteration/kl': kl?.perResponse,
    'iteration/kl_token': kl?.perToken,
    'iteration/pairs': pairs.pairs,
    'iteration/ties': pairs.tie + pairs.twins,
    'iteration/truncated': pairs.truncated,
  };
  const known = Object.entries(named).filter((entry): entry is [string, number] => Number.isFinite(entry[1]));
  return Object.fromEntries(known);
}

/** Writes the metrics of an iteration behind those of its last step, once, and tells the trackers. */
export async function logIteration(
  { output, parts }: Pick<RunOptions, 'output' | 'parts'>,
  summary: IterationSummary,
  step: number,
): Promise<void> {
  const metrics = { ...iterationMetrics(summary), iteration: summary.iteration };
  const file = join(output, RUN_FILES.metrics);
  const isThere = (await readMetrics(file)).some(
    (line) => line.iteration === summary.iteration && 'iteration/annotated_share' in line,
  );
  if (!isThere) await (await openMetrics(file, step)).append(step, metrics);
  for (const tracker of parts.trackers) await tracker.log(step, metrics);
}
