import type { RunPrompt, TrainingRecipe } from '@metaapo/core';
import {
  type ChatMessage,
  type ModelDescription,
  messageText,
  type PreferenceRow,
  type TokenizedPreference,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { readPreferences, type SequenceReport, tokenizePreferences } from '@metaapo/data';
import { dataFiles, type Sources } from './data-files.js';

/** Rows as token ids, and the prompts that they came from. */
export interface LoadedPreferences {
  readonly train: readonly TokenizedPreference[];
  readonly held: readonly TokenizedPreference[];
  /** The prompt of a training row, and of a held-out one, as people and servers read it. */
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly heldPromptOf: (row: TokenizedPreference) => RunPrompt;
}

/** What turns rows into token ids; rows longer than the model was made for are warned of. */
export type TextCoding = Pick<ModelDescription, 'tokenizer' | 'vocabularySize' | 'contextLength'>;

/** Training and held-out rows of a recipe; what was cut or dropped is reported. */
export async function loadPreferences(
  { data }: Pick<TrainingRecipe, 'data'>,
  coding: TextCoding,
  sources: Sources,
): Promise<LoadedPreferences> {
  const { tokenizer, vocabularySize } = coding;
  const load = async (name: string, source: string | string[], split: string | undefined, maxRows?: number) => {
    const read: PreferenceRow[] = [];
    const found = keeping(
      readPreferences(await dataFiles(source, split, sources), { templateArguments: data.templateArguments }),
      read,
    );
    const { rows, report } = await tokenizePreferences(found, tokenizer, {
      vocabularySize,
      maxRows,
      maxLength: data.maxLength,
      truncate: data.truncate,
      longPrompt: data.longPrompt,
    });
    reportRows(name, report, coding, sources);
    return { rows, read };
  };
  const train = await load('train', data.train, data.trainSplit, data.maxRows);
  const held = data.eval === undefined ? { rows: [], read: [] } : await load('eval', data.eval, data.evalSplit);
  return {
    train: train.rows,
    held: held.rows,
    promptOf: ({ row }) => promptOf(train.read[row]!, tokenizer),
    heldPromptOf: ({ row }) => promptOf(held.read[row]!, tokenizer),
  };
}

/** The same items, each kept as it is read. */
async function* keeping<Item>(items: AsyncIterable<Item>, kept: Item[]): AsyncGenerator<Item> {
  for await (const item of items) {
    kept.push(item);
    yield item;
  }
}

/** Says what became of the rows of a data set, and warns of rows that are longer than the model was made for. */
export function reportRows(
  name: string,
  { summary, sequence }: Pick<SequenceReport, 'sequence'> & { readonly summary: string },
  { contextLength }: Pick<TextCoding, 'contextLength'>,
  { report }: Pick<Sources, 'report'>,
): void {
  report(`${name}: ${summary}`);
  if (sequence.max <= contextLength) return;
  report(
    `Warning: rows of up to ${sequence.max} tokens, and the model was made for ${contextLength} (max_position_embeddings): lower maxLength`,
  );
}

function promptOf(row: PreferenceRow, tokenizer: Tokenizer | undefined): RunPrompt {
  if (row.form === 'text') return { text: row.prompt, offline: { chosen: row.chosen, rejected: row.rejected } };
  if (row.form === 'tokens') {
    const text = (ids: Int32Array): string => tokenizer?.decode(ids) ?? '';
    return { text: text(row.prompt), offline: { chosen: text(row.chosen), rejected: text(row.rejected) } };
  }
  return {
    messages: row.prompt,
    chat: row.chat,
    text: tokenizer!.renderChat(row.prompt, { ...row.chat, addGenerationPrompt: true }),
    offline: { chosen: contentOf(row.chosen), rejected: contentOf(row.rejected) },
  };
}

const contentOf = (messages: readonly ChatMessage[]): string => messages.map(messageText).join('\n');
