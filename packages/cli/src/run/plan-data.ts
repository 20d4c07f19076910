import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type SftRecipe, tokensOf } from '@metaapo/core';
import type { PromptGroup } from '@metaapo/core/contracts';
import { estimateTrainingMemory, loadTokenizer, readModelConfig, type TrainingMemory } from '@metaapo/models';
import type { TextCoding } from '../training/load-preferences.js';
import { findModel, type PolicyRecipe, type Sources } from '../training/open-models.js';
import { gib, trainingMemory } from '../training/training-memory.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What is known of a training before its model is loaded. */
export interface PlannedData<Row> {
  readonly rows: readonly Row[];
  readonly parameters: number;
  /** Bytes that the policy takes at most. */
  readonly memory: number;
}

/**
 * Reads the data of a recipe without the weights of its model, and prints their tokens, the longest rows and the
 * memory that a training would need.
 * @param groupsOf what is computed at once of a row: a row of several groups may be cut between them
 */
export async function planData<Row extends { readonly row: number }>(
  recipe: PolicyRecipe & Pick<SftRecipe, 'revision'>,
  cachedTokens: number | undefined,
  load: (coding: TextCoding, sources: Sources) => Promise<readonly Row[]>,
  groupsOf: (row: Row) => readonly PromptGroup[],
): Promise<PlannedData<Row>> {
  const sources: Sources = { revision: recipe.revision, report: say };
  const { directory } = await findModel(recipe.model, sources, recipe.adapter);
  const config = await readModelConfig(directory);
  const tokenizer = existsSync(join(directory, 'tokenizer.json')) ? await loadTokenizer(directory) : undefined;
  const { vocabularySize, maxPositionEmbeddings } = config;
  const rows = await load({ tokenizer, vocabularySize, maxPositionEmbeddings }, sources);
  const costs = rows.map((row) => ({ row: row.row, groups: groupsOf(row).map(tokensOf) }));
  const longest = costs
    .map(({ row, groups }) => ({ row, tokens: Math.max(...groups) }))
    .sort((a, b) => b.tokens - a.tokens)
    .slice(0, 3);
  const all = costs.reduce((sum, { groups }) => groups.reduce((inner, tokens) => inner + tokens, sum), 0);
  print(`Tokens: ${all} in ${rows.length} rows, ${(all / rows.length).toFixed(0)} a row; a prompt counts once`);
  print(`Longest rows, in tokens: ${longest.map(({ row, tokens }) => `row ${row} with ${tokens}`).join(', ')}`);
  const memory = trainingMemory(recipe, config, rows.flatMap(groupsOf), cachedTokens);
  printMemory(memory);
  return { rows, parameters: memory.parameters.all, memory: memory.total };
}

/** The weights of a model alone are asked for: any micro-batch will do. */
const ANY_GROUP = { prompt: Int32Array.of(0), responses: [Int32Array.of(0)] };

/** Prints what models beside the policy take, and the sum. */
export async function printOtherModels(
  policy: number,
  models: Readonly<Record<string, string | undefined>>,
  { precision }: Pick<PolicyRecipe, 'precision'>,
  sources: Sources,
): Promise<void> {
  let all = policy;
  const parts: string[] = [];
  for (const [name, model] of Object.entries(models)) {
    if (model === undefined) continue;
    const config = await readModelConfig((await findModel(model, sources)).directory);
    const { weights } = estimateTrainingMemory({ config, precision, checkpoint: 'block-inputs', groups: [ANY_GROUP] });
    all += weights;
    parts.push(`${name} ${gib(weights)}`);
  }
  if (parts.length > 0) print(`With the weights of other models: ${gib(all)} (${parts.join(', ')})`);
}

function printMemory({ parameters, total, ...parts }: TrainingMemory): void {
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  print(`Parameters: ${millions(parameters.all)}, ${millions(parameters.trained)} of them trained`);
  const list = Object.entries(parts).map(([name, bytes]) => `${name} ${gib(bytes)}`);
  print(`Memory, estimated: ${gib(total)} (${list.join(', ')})`);
}
