import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type SftRecipe, tokensOf } from '@metaapo/core';
import type { PromptGroup } from '@metaapo/core/contracts';
import { loadTokenizer, readModelConfig, type TrainingMemory } from '@metaapo/models';
import { loadPlugins } from '../recipe/load-plugins.js';
import type { TextCoding } from '../training/load-preferences.js';
import { modelDirectory, type PolicyRecipe, type Sources } from '../training/open-models.js';
import { gib, trainingMemory } from '../training/training-memory.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/**
 * Reads the data of a recipe without the weights of its model, and prints the longest rows and the memory that a
 * training would need.
 * @param groupsOf what is computed at once of a row: a row of several groups may be cut between them
 */
export async function planData<Row extends { readonly row: number }>(
  recipe: PolicyRecipe & Pick<SftRecipe, 'plugins' | 'revision'>,
  cachedTokens: number | undefined,
  load: (coding: TextCoding, sources: Sources) => Promise<readonly Row[]>,
  groupsOf: (row: Row) => readonly PromptGroup[],
): Promise<readonly Row[]> {
  await loadPlugins(recipe.plugins);
  const sources: Sources = { revision: recipe.revision, report: say };
  const directory = await modelDirectory(recipe.model, sources);
  const config = await readModelConfig(directory);
  const tokenizer = existsSync(join(directory, 'tokenizer.json')) ? await loadTokenizer(directory) : undefined;
  const rows = await load({ tokenizer, vocabularySize: config.vocabularySize }, sources);
  const costs = rows.map((row) => ({ row: row.row, groups: groupsOf(row).map(tokensOf) }));
  const longest = costs
    .map(({ row, groups }) => ({ row, tokens: Math.max(...groups) }))
    .sort((a, b) => b.tokens - a.tokens)
    .slice(0, 3);
  print(`Longest rows, in tokens: ${longest.map(({ row, tokens }) => `row ${row} with ${tokens}`).join(', ')}`);
  printMemory(trainingMemory(recipe, config, rows.flatMap(groupsOf), cachedTokens));
  return rows;
}

function printMemory({ parameters, total, ...parts }: TrainingMemory): void {
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  print(`Parameters: ${millions(parameters.all)}, ${millions(parameters.trained)} of them trained`);
  const list = Object.entries(parts).map(([name, bytes]) => `${name} ${gib(bytes)}`);
  print(`Memory, estimated: ${gib(total)} (${list.join(', ')})`);
}
