import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type EntryHeader, entriesOfKind, type IterationSummary, RUN_FILES, readRunJournal } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { parse } from 'yaml';

/** What a report shows of a run. */
export interface ReportedRun {
  /** What tells the run from the others of the report. */
  readonly name: string;
  /** When its last metric was written, ISO 8601. */
  readonly date: string;
  /** Lines of metrics.jsonl. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
  /** Summaries of finished iterations; none for a training. */
  readonly iterations: readonly IterationSummary[];
  /** Held-out reward before the first iteration. */
  readonly rewardBefore?: number | undefined;
  /** The resolved recipe, YAML. */
  readonly recipe: string;
  /** The same as data; `undefined` where there is none. */
  readonly settings?: unknown;
}

/**
 * Reads a run directory, finished or not.
 * @throws MetaapoError with code `data` when it is no run directory
 */
export async function readRun(directory: string, name: string): Promise<ReportedRun> {
  const file = join(directory, RUN_FILES.metrics);
  const metrics = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MetaapoError('data', 'this is no run directory', {
      where: directory,
      expected: `a directory with ${RUN_FILES.metrics}`,
      cause,
      remedy: 'Give the output directory of `metaapo run`, `train`, `sft` or `train-reward`',
    });
  });
  const isShown = ({ kind }: EntryHeader): boolean => kind === 'baseline' || kind === 'iteration';
  const entries = await readRunJournal(join(directory, RUN_FILES.journal), isShown);
  const recipe = await readFile(join(directory, RUN_FILES.recipe), 'utf8').catch(() => '');
  return {
    name,
    date: (await stat(file)).mtime.toISOString(),
    metrics: wholeLines(metrics),
    iterations: entriesOfKind(entries, 'iteration').map(({ summary }) => summary),
    rewardBefore: entriesOfKind(entries, 'baseline')[0]?.heldOutReward ?? undefined,
    recipe,
    settings: recipe === '' ? undefined : parse(recipe),
  };
}

/** A line that is being written, the last one, may be half there. */
function wholeLines(text: string): Record<string, number>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, number>);
}
