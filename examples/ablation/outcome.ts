import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOfKind, readRunJournal } from '@metaapo/core';
import { KIND_NAMES, type Kind } from './kinds.js';
import { mean } from './statistics.js';

/** What a run did with the rows of a kind. */
export interface KindOutcome {
  readonly rows: number;
  readonly selected: number;
  /** Mean weight w when the rows were selected. */
  readonly weight: number;
  /** Selected rows whose responses made no pair. */
  readonly ties: number;
  /** Mean held-out reward after the run. */
  readonly reward: number;
}

/** What a run ended with. */
export interface Outcome {
  readonly byKind: Readonly<Record<Kind, KindOutcome>>;
  /** Mean held-out reward over prompts of all kinds, mixed as in training. */
  readonly reward: number;
  readonly share: number;
  readonly calls: number;
  readonly metaUpdates: number;
  /** Selected rows by iteration. */
  readonly selected: readonly (readonly number[])[];
  /** Rows by iteration. */
  readonly slices: readonly number[];
}

type Entry = Readonly<Record<string, unknown>>;

const readLines = async (file: string): Promise<Entry[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);

/** Reads a run directory; `rewards` are those of held-out responses with their kinds. */
export async function readOutcome(
  directory: string,
  trainFile: string,
  rewards: readonly { readonly kind: Kind; readonly reward: number }[],
): Promise<Outcome> {
  const kinds = (await readLines(trainFile)).map(({ kind }) => kind as Kind);
  const journal = await readRunJournal(join(directory, 'journal.jsonl'));
  const selections = entriesOfKind(journal, 'selection');
  const selected = selections.map((entry) => entry.selected);
  const weights = selections.flatMap((entry) => entry.weights);
  const isSelected = new Set(selected.flat());
  const found = entriesOfKind(journal, 'outcomes').flatMap(({ rows }) => rows);
  const tied = new Set(found.filter(({ pairs }) => pairs === 0).map(({ row }) => row));
  const byKind = Object.fromEntries(
    KIND_NAMES.map((name) => {
      const rows = weights.map((_, row) => row).filter((row) => kinds[row] === name);
      const outcome: KindOutcome = {
        rows: rows.length,
        selected: rows.filter((row) => isSelected.has(row)).length,
        weight: mean(rows.map((row) => weights[row]!)),
        ties: rows.filter((row) => tied.has(row)).length,
        reward: mean(rewards.filter(({ kind }) => kind === name).map(({ reward }) => reward)),
      };
      return [name, outcome];
    }),
  ) as Record<Kind, KindOutcome>;
  const metrics = await readLines(join(directory, 'metrics.jsonl'));
  return {
    byKind,
    reward: mean(rewards.map(({ reward }) => reward)),
    share: isSelected.size / weights.length,
    calls: entriesOfKind(journal, 'rewards').reduce((sum, { rewards: paid }) => sum + paid.length, 0),
    metaUpdates: metrics.filter((line) => 'meta/loss' in line).length,
    selected,
    slices: selections.map((entry) => entry.weights.length),
  };
}
