import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { CheckpointKey, PartRecipe } from '@metaapo/core';
import type { TextModel, TextScorer } from '@metaapo/core/contracts';
import { pluginDigest } from '../recipe/agreed-code.js';
import { decidingValues } from '../recipe/resumed-recipe.js';

/** Options of models that change how something is computed, and not what is trained. */
const HOW = ['backend', 'executor', 'precision', 'checkpoint'];

/** What decides the numbers of a training. */
export interface DecidingInputs {
  readonly recipe: { readonly model: PartRecipe; readonly plugins: readonly string[] };
  /** The model as it starts. */
  readonly trained: TextModel | TextScorer;
  /** Rows that are trained, and those that are evaluated. */
  readonly rows: readonly object[];
  readonly held: readonly object[];
  /** Fingerprint of the reference's weights, where one is read. */
  readonly reference?: string | undefined;
}

/**
 * Hashes of what a checkpoint belongs to: the shape of what is trained, the rows with all that they hold, and the other
 * inputs that decide numbers.
 */
export function checkpointKey({ recipe, trained, rows, held, reference }: DecidingInputs): CheckpointKey {
  const shape = JSON.stringify(Object.entries(recipe.model).filter(([key]) => !HOW.includes(key)));
  const { fingerprint, eosTokenIds, model } = trained;
  return {
    recipe: digestOfText(shape),
    data: digestOfRows(rows),
    inputs: {
      'the weights of the start model': model.fingerprint,
      'the configuration, tokenizer or chat template of the model': digestOfRows([{ fingerprint, eosTokenIds }]),
      'a value of the recipe': digestOfText(decidingValues(recipe)),
      ...beginnings(recipe),
      ...(reference !== undefined && { 'the weights of the reference': reference }),
      ...(held.length > 0 && { 'the held-out rows': digestOfRows(held) }),
      ...Object.fromEntries(recipe.plugins.map((name) => [`the plugin ${name}`, pluginDigest(name)])),
    },
  };
}

/** Files that a part begins with, such as a meta-learner with `init: FILE.safetensors`. */
function beginnings(section: object): Readonly<Record<string, string>> {
  const found = Object.entries(section).flatMap(([key, value]): (readonly [string, string])[] => {
    if (typeof value === 'object' && value !== null) return Object.entries(beginnings(value as object));
    const isFile = key === 'init' && typeof value === 'string' && statSync(value, { throwIfNoEntry: false })?.isFile();
    return isFile ? [[`the file ${value}`, digestOfText(readFileSync(value))]] : [];
  });
  return Object.fromEntries(found);
}

const digestOfText = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

function digestOfRows(rows: readonly object[]): string {
  const hash = createHash('sha256');
  for (const row of rows)
    hash.update(JSON.stringify(row, (_, value) => (ArrayBuffer.isView(value) ? listOf(value) : value)));
  return hash.digest('hex');
}

const listOf = (view: ArrayBufferView): readonly number[] => [...(view as Int32Array)];
