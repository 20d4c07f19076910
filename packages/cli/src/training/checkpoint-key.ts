import { createHash } from 'node:crypto';
import type { CheckpointKey, PartRecipe } from '@metaapo/core';
import type { TextModel, TextScorer } from '@metaapo/core/contracts';
import { pluginDigest } from '../recipe/agreed-code.js';

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
    recipe: createHash('sha256').update(shape).digest('hex'),
    data: digestOfRows(rows),
    inputs: {
      'the weights of the start model': model.fingerprint,
      'the configuration, tokenizer or chat template of the model': digestOfRows([{ fingerprint, eosTokenIds }]),
      ...(reference !== undefined && { 'the weights of the reference': reference }),
      ...(held.length > 0 && { 'the held-out rows': digestOfRows(held) }),
      ...Object.fromEntries(recipe.plugins.map((name) => [`the plugin ${name}`, pluginDigest(name)])),
    },
  };
}

function digestOfRows(rows: readonly object[]): string {
  const hash = createHash('sha256');
  for (const row of rows)
    hash.update(JSON.stringify(row, (_, value) => (ArrayBuffer.isView(value) ? listOf(value) : value)));
  return hash.digest('hex');
}

const listOf = (view: ArrayBufferView): readonly number[] => [...(view as Int32Array)];
