import type { SftRecipe } from '@metaapo/core';
import type { TokenizedDemonstration } from '@metaapo/core/contracts';
import { readDemonstrations, tokenizeDemonstrations } from '@metaapo/data';
import { dataFiles } from './data-files.js';
import type { TextCoding } from './load-preferences.js';
import type { Sources } from './open-models.js';

/** Demonstrations as token ids. */
export interface LoadedDemonstrations {
  readonly train: readonly TokenizedDemonstration[];
  readonly held: readonly TokenizedDemonstration[];
}

/** Training and held-out rows of a recipe of fine-tuning; what was cut or dropped is reported. */
export async function loadDemonstrations(
  { data }: Pick<SftRecipe, 'data'>,
  { tokenizer, vocabularySize }: TextCoding,
  sources: Sources,
): Promise<LoadedDemonstrations> {
  const load = async (name: string, source: string | readonly string[], split: string | undefined) => {
    const read = readDemonstrations(await dataFiles(source, split, sources), { column: data.column });
    const { rows, report } = await tokenizeDemonstrations(read, tokenizer, {
      vocabularySize,
      maxLength: data.maxLength,
      truncate: data.truncate,
      longPrompt: data.longPrompt,
      turns: data.turns,
    });
    sources.report(`${name}: ${report.summary}`);
    return rows;
  };
  const train = await load('train', data.train, data.trainSplit);
  const held = data.eval === undefined ? [] : await load('eval', data.eval, data.evalSplit);
  return { train: train.slice(0, data.maxRows), held };
}
