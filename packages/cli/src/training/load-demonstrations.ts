import type { SftRecipe } from '@metaapo/core';
import type { TokenizedDemonstration } from '@metaapo/core/contracts';
import { readDemonstrations, tokenizeDemonstrations } from '@metaapo/data';
import { dataFiles, type Sources } from './data-files.js';
import { reportRows, type TextCoding } from './load-preferences.js';
import { tokenizedRows } from './tokenized-rows.js';

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
  const { column, templateArguments, maxLength, truncate, longPrompt, turns } = data;
  const { vocabularySize } = coding;
  const load = async (
    name: string,
    source: string | readonly string[],
    split: string | undefined,
    maxRows?: number,
  ) => {
    const files = await dataFiles(source, split, sources);
    const { rows, report } = await tokenizedRows(name, coding, {
      kind: ['demonstrations', column, templateArguments],
      files,
      read: () => readDemonstrations(files, { column, templateArguments, signal: sources.signal }),
      options: { vocabularySize, maxRows, maxLength, truncate, longPrompt, turns },
      tokenize: (found, options) => tokenizeDemonstrations(found, coding.tokenizer, options),
    });
    reportRows(name, report, coding, sources);
    return rows;
  };
  const train = await load('train', data.train, data.trainSplit, data.maxRows);
  const held = data.eval === undefined ? [] : await load('eval', data.eval, data.evalSplit);
  return { train, held };
}
