import type { RunPrompt, TrainingRecipe } from '@metaapo/core';
import type { ChatMessage, PreferenceRow, TokenizedPreference, Tokenizer } from '@metaapo/core/contracts';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import type { LoadedTextModel } from '@metaapo/models';
import { dataFiles } from './data-files.js';
import type { Sources } from './open-models.js';

/** Rows as token ids, and the prompts that they came from. */
export interface LoadedPreferences {
  readonly train: readonly TokenizedPreference[];
  readonly held: readonly TokenizedPreference[];
  /** The prompt of a training row, and of a held-out one, as people and servers read it. */
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly heldPromptOf: (row: TokenizedPreference) => RunPrompt;
}

/** What turns rows into token ids. */
export interface TextCoding {
  readonly tokenizer: Tokenizer | undefined;
  readonly vocabularySize: number;
}

/** The coding of a loaded model. */
export function codingOf({ tokenizer, model }: LoadedTextModel): TextCoding {
  return { tokenizer, vocabularySize: model.config.vocabularySize };
}

/** Training and held-out rows of a recipe; what was cut or dropped is reported. */
export async function loadPreferences(
  { data }: Pick<TrainingRecipe, 'data'>,
  { tokenizer, vocabularySize }: TextCoding,
  sources: Sources,
): Promise<LoadedPreferences> {
  const load = async (name: string, source: string | string[], split: string | undefined) => {
    const read: PreferenceRow[] = [];
    for await (const row of readPreferences(await dataFiles(source, split, sources))) read.push(row);
    const { rows, report } = await tokenizePreferences(read, tokenizer, {
      vocabularySize,
      maxLength: data.maxLength,
      truncate: data.truncate,
      longPrompt: data.longPrompt,
    });
    sources.report(`${name}: ${report.summary}`);
    return { rows, read };
  };
  const train = await load('train', data.train, data.trainSplit);
  const held = data.eval === undefined ? { rows: [], read: [] } : await load('eval', data.eval, data.evalSplit);
  return {
    train: train.rows.slice(0, data.maxRows),
    held: held.rows,
    promptOf: ({ row }) => promptOf(train.read[row]!, tokenizer),
    heldPromptOf: ({ row }) => promptOf(held.read[row]!, tokenizer),
  };
}

function promptOf(row: PreferenceRow, tokenizer: Tokenizer | undefined): RunPrompt {
  if (row.form === 'text') return { text: row.prompt, offline: { chosen: row.chosen, rejected: row.rejected } };
  if (row.form === 'tokens') {
    const text = (ids: Int32Array): string => tokenizer?.decode(ids) ?? '';
    return { text: text(row.prompt), offline: { chosen: text(row.chosen), rejected: text(row.rejected) } };
  }
  return {
    messages: row.prompt,
    text: tokenizer!.renderChat(row.prompt, { addGenerationPrompt: true }),
    offline: { chosen: contentOf(row.chosen), rejected: contentOf(row.rejected) },
  };
}

const contentOf = (messages: readonly ChatMessage[]): string => messages.map(({ content }) => content).join('\n');
