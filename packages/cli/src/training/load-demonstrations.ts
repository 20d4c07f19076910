import type { SftRecipe } from '@metaapo/core';
import type { TokenizedDemonstration } from '@metaapo/core/contracts';
import { readDemonstrations, tokenizeDemonstrations } from '@metaapo/data';
import { dataFiles, type Sources } from './data-files.js';
import { reportRows, type TextCoding } from './load-preferences.js';

/** Demonstrations as token ids. */
export interface LoadedDemonstrations {
  readonly train: readonly TokenizedDemonstration[];
  readonly held: readonly TokenizedDemonstration[];
}

/** Training and held-out rows of a recipe of fine-tuning; what was cut or dropped is reported. */
export async function loadDemonstrations(
  { data }: Pick<SftRecipe, 'data'>,
  coding: TextCoding,
  sources: Sources,
): Promise<LoadedDemonstrations> {
  const { tokenizer, vocabularySize } = coding;
  const load = async (
    name: string,
    source: string | readonly string[],
    split: string | undefined,
    maxRows?: number,
  ) => {
    const read = readDemonstrations(await dataFiles(source, split, sources), {
      column: data.column,
      templateArguments: data.templateArguments,
    });
    const { rows, report } = await tokenizeDemonstrations(read, tokenizer, {
      vocabularySize,
      maxRows,
      maxLength: data.maxLength,
      truncate: data.truncate,
      longPrompt: data.longPrompt,
      turns: data.turns,
    });
    reportRows(name, report, coding, sources);
    return rows;
  };
  const train = await load('train', data.train, data.trainSplit, data.maxRows);
  const held = data.eval === undefined ? [] : await load('eval', data.eval, data.evalSplit);
  return { train, held };
}
