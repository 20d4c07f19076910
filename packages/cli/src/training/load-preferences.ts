import type { TrainingRecipe } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import { readPreferences, resolveDataFiles, tokenizePreferences } from '@metaapo/data';
import type { LoadedTextModel } from '@metaapo/models';
import type { Sources } from './open-models.js';

/** Training and held-out rows of a recipe as token ids; what was cut or dropped is reported. */
export async function loadPreferences(
  recipe: TrainingRecipe,
  policy: LoadedTextModel,
  sources: Sources,
): Promise<{ readonly train: readonly TokenizedPreference[]; readonly held: readonly TokenizedPreference[] }> {
  const { data } = recipe;
  const load = async (name: string, source: string | string[], split: string | undefined) => {
    const files: string[] = [];
    for (const one of [source].flat()) files.push(...(await resolveDataFiles(one, { ...sources, split })));
    const { rows, report } = await tokenizePreferences(readPreferences(files), policy.tokenizer, {
      vocabularySize: policy.model.config.vocabularySize,
      maxLength: data.maxLength,
      truncate: data.truncate,
      longPrompt: data.longPrompt,
    });
    sources.report(`${name}: ${report.summary}`);
    return rows;
  };
  return {
    train: (await load('train', data.train, data.trainSplit)).slice(0, data.maxRows),
    held: data.eval === undefined ? [] : await load('eval', data.eval, data.evalSplit),
  };
}
