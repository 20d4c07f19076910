import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uniformOf } from '@metaapo/core';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { loadTokenizer, writeRandomModel } from '@metaapo/models';
import { SHAPES } from './shapes.js';

/** Rows of a bench as both sides read them: token ids. */
export type BenchRows = readonly {
  readonly prompt: readonly number[];
  readonly responses: readonly (readonly number[])[];
}[];

/** A workload on disk: the model's directory and a JSON file of rows. */
export interface Workload {
  readonly shape: string;
  readonly summary: string;
  readonly model: string;
  readonly rows: string;
}

/** Writes the random model and the random rows of a shape. */
export async function prepareRandom(name: string, responses: number, directory: string): Promise<Workload> {
  const shape = SHAPES[name]!;
  const model = join(directory, `model-${name}`);
  if (!existsSync(model)) await writeRandomModel(model, shape.model, 0);
  const vocabulary = Number(shape.model.vocab_size);
  const ids = (key: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => 3 + Math.floor(uniformOf(['bench', key, index]) * (vocabulary - 3)));
  const rows: BenchRows = Array.from({ length: shape.pairs }, (_, pair) => ({
    prompt: ids(100 * pair, shape.promptTokens),
    responses: Array.from({ length: responses }, (_, index) => ids(100 * pair + index + 1, shape.responseTokens)),
  }));
  return { shape: name, summary: shape.summary, model, rows: await writeRows(directory, `${name}-${responses}`, rows) };
}

/** Real rows with a real model. */
export async function prepareReal(
  model: string,
  file: string,
  count: number,
  maxLength: number,
  directory: string,
): Promise<Workload> {
  await mkdir(directory, { recursive: true });
  const tokenizer = await loadTokenizer(model);
  const { rows } = await tokenizePreferences(readPreferences([file]), tokenizer, {
    maxLength,
    truncate: 'response-tail',
    longPrompt: 'drop',
  });
  const chosen = rows.slice(0, count).map((row) => ({
    prompt: [...row.prompt],
    responses: [[...row.chosen], [...row.rejected]],
  }));
  const summary = `${count} real pairs of at most ${maxLength} tokens`;
  return { shape: 'R', summary, model, rows: await writeRows(directory, 'R', chosen) };
}

async function writeRows(directory: string, name: string, rows: BenchRows): Promise<string> {
  const file = join(directory, `rows-${name}.json`);
  await writeFile(file, JSON.stringify(rows));
  return file;
}
