import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type IterationSummary, RUN_FILES } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { type JournalEntry, readJournal } from '@metaapo/core/storage';

/** What a report shows of a run. */
export interface ReportedRun {
  readonly name: string;
  /** Lines of metrics.jsonl. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
  /** Summaries of finished iterations; none for a training. */
  readonly iterations: readonly IterationSummary[];
  /** Held-out reward before the first iteration. */
  readonly rewardBefore?: number | undefined;
  /** The resolved recipe, YAML. */
  readonly recipe: string;
}

/**
 * Reads a run directory, finished or not.
 * @throws MetaapoError with code `data` when it is no run directory
 */
export async function readRun(directory: string): Promise<ReportedRun> {
  const metrics = await readFile(join(directory, RUN_FILES.metrics), 'utf8').catch((cause: unknown) => {
    throw new MetaapoError('data', 'this is no run directory', {
      where: directory,
      expected: `a directory with ${RUN_FILES.metrics}`,
      cause,
      remedy: 'Give the output directory of `metaapo run` or `metaapo train`',
    });
  });
  const isShown = ({ kind }: JournalEntry): boolean => kind === 'baseline' || kind === 'iteration';
  const entries = await readJournal(join(directory, RUN_FILES.journal), isShown);
  const baseline = entries.find(({ kind }) => kind === 'baseline');
  return {
    name: basename(resolve(directory)),
    metrics: wholeLines(metrics),
    iterations: entries.flatMap(({ kind, summary }) => (kind === 'iteration' ? [summary as IterationSummary] : [])),
    rewardBefore: baseline?.heldOutReward as number | undefined,
    recipe: await readFile(join(directory, RUN_FILES.recipe), 'utf8').catch(() => ''),
  };
}

/** A line that is being written, the last one, may be half there. */
function wholeLines(text: string): Record<string, number>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, number>);
}
