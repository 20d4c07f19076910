import { tokensOf } from '@metaapo/core';
import type { MemoryEstimate, ModelSource, PromptGroup } from '@metaapo/core/contracts';
import { describeAs } from '../model/open-model.js';
import { say } from '../recipe/compose-parts.js';
import { print } from '../terminal/print.js';
import type { Sources } from '../training/data-files.js';
import type { TextCoding } from '../training/load-preferences.js';
import { type TrainedRecipe, trainingMemory } from '../training/training-use.js';
import { printMemory } from './plan-memory.js';

/** What is known of a training before its model is loaded. */
export interface PlannedData<Row> {
  readonly rows: readonly Row[];
  readonly held: readonly Row[];
  /** Parameters and memory of the policy; nothing where its source cannot tell. */
  readonly estimate: MemoryEstimate | undefined;
}

/** Rows as token ids. */
interface Loaded<Row> {
  readonly train: readonly Row[];
  readonly held: readonly Row[];
}

/** How rows are read and computed. */
export interface PlanOptions<Row> {
  readonly load: (coding: TextCoding, sources: Sources) => Promise<Loaded<Row>>;
  /** What is computed at once of a row: a row of several groups may be cut between them. */
  readonly groupsOf: (row: Row) => readonly PromptGroup[];
  readonly trains?: 'policy' | 'scorer' | undefined;
}

/**
 * Reads the data of a recipe without the weights of its model, and prints their tokens, the longest rows and the
 * memory that a training would need.
 */
export async function planData<Row extends { readonly row: number }>(
  source: ModelSource,
  recipe: TrainedRecipe,
  { load, groupsOf, trains }: PlanOptions<Row>,
): Promise<PlannedData<Row>> {
  const described = await describeAs(source, trains === 'scorer' ? 'new-scorer' : 'policy');
  const { train: rows, held } = await load(described, { report: say });
  const costs = rows.map((row) => ({ row: row.row, groups: groupsOf(row).map(tokensOf) }));
  const longest = costs
    .map(({ row, groups }) => ({ row, tokens: Math.max(...groups) }))
    .sort((a, b) => b.tokens - a.tokens)
    .slice(0, 3);
  const all = costs.reduce((sum, { groups }) => groups.reduce((inner, tokens) => inner + tokens, sum), 0);
  print(`Tokens: ${all} in ${rows.length} rows, ${(all / rows.length).toFixed(0)} a row; a prompt counts once`);
  print(`Longest rows, in tokens: ${longest.map(({ row, tokens }) => `row ${row} with ${tokens}`).join(', ')}`);
  const estimate = await trainingMemory(source, recipe, rows.flatMap(groupsOf), trains);
  printMemory(source, estimate);
  return { rows, held, estimate };
}
