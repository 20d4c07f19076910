import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type EntryHeader, entriesOfKind, type IterationSummary, RUN_FILES, readRunJournal } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { type MetricsLine, readMetrics, readTextFile } from '@metaapo/core/storage';
import { parseYaml } from '../recipe/parse-yaml-value.js';

/** What a report shows of a run. */
export interface ReportedRun {
  /** What tells the run from the others of the report. */
  readonly name: string;
  /** When its last metric was written, ISO 8601. */
  readonly date: string;
  /** Lines of metrics.jsonl. */
  readonly metrics: readonly MetricsLine[];
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
  if (!existsSync(file)) {
    throw new MetaapoError('data', 'this is no run directory', {
      where: directory,
      expected: `a directory with ${RUN_FILES.metrics}`,
      remedy: 'Give the output directory of `metaapo run`, `train`, `sft` or `train-reward`',
    });
  }
  const metrics = await readMetrics(file);
  const isShown = ({ kind }: EntryHeader): boolean => kind === 'baseline' || kind === 'iteration';
  const entries = await readRunJournal(join(directory, RUN_FILES.journal), isShown);
  const recipeFile = join(directory, RUN_FILES.recipe);
  const recipe = existsSync(recipeFile) ? await readTextFile(recipeFile, { mostBytes: 2 ** 20, code: 'data' }) : '';
  return {
    name,
    date: (await stat(file)).mtime.toISOString(),
    metrics,
    iterations: entriesOfKind(entries, 'iteration').map(({ summary }) => summary),
    rewardBefore: entriesOfKind(entries, 'baseline')[0]?.heldOutReward ?? undefined,
    recipe,
    settings: recipe === '' ? undefined : parseYaml(recipeFile, recipe),
  };
}
