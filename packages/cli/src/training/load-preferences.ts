import type { ObjectiveRecipe, RunPrompt } from '@metaapo/core';
import {
  type ChatMessage,
  type ModelDescription,
  messageText,
  type PreferenceRow,
  type TokenizedPreference,
  type Tokenizer,
} from '@metaapo/core/contracts';
import {
  type BadRowListener,
  type FormOptions,
  type LengthLimits,
  listBadRows,
  readPreferences,
  type SequenceReport,
  tokenizePreferences,
} from '@metaapo/data';
import { dataFiles, type Sources } from './data-files.js';
import { tokenizedRows } from './tokenized-rows.js';

/** Rows as token ids. */
export interface LoadedPreferences {
  readonly train: readonly TokenizedPreference[];
  readonly held: readonly TokenizedPreference[];
  /** Reads what the rows say, for people and servers: the prompt of a training row, and of a held-out one. */
  readonly texts: () => Promise<Readonly<Record<'promptOf' | 'heldPromptOf', (row: TokenizedPreference) => RunPrompt>>>;
}

/** What turns rows into token ids; rows longer than the model was made for are warned of. */
export type TextCoding = Pick<ModelDescription, 'tokenizer' | 'eosTokenIds' | 'vocabularySize' | 'contextLength'>;

/** The token that ends a response which has no end of its own; absent where a model names none. */
function endTokenOf({ tokenizer, eosTokenIds }: Pick<TextCoding, 'tokenizer' | 'eosTokenIds'>) {
  return tokenizer?.eosTokenId ?? eosTokenIds[0];
}

/** What OpenRLHF puts behind a text that has no end: a space, and the end-of-sequence token. */
export function cutEndOf(coding: Pick<TextCoding, 'tokenizer' | 'eosTokenIds'>): Int32Array | undefined {
  const end = endTokenOf(coding);
  return end === undefined ? undefined : Int32Array.of(...(coding.tokenizer?.encode(' ') ?? []), end);
}

/** How long rows may be, as a recipe says it. */
export function limitsOf(data: ObjectiveRecipe['data'], coding: TextCoding): LengthLimits {
  const { maxLength, maxPromptLength, truncate, longPrompt } = data;
  return { maxLength, maxPromptLength, truncate, longPrompt, endTokenId: endTokenOf(coding) };
}

/** Training and held-out rows of a recipe; what was cut or dropped is reported. */
export async function loadPreferences(
  { data }: Pick<ObjectiveRecipe, 'data'>,
  coding: TextCoding,
  sources: Sources,
): Promise<LoadedPreferences> {
  const { badRows, responseEnd = 'end-of-turn' } = data;
  const load = async (name: string, source: string | string[], split: string | undefined, maxRows?: number) => {
    const files = await dataFiles(source, { split, config: data.config }, sources);
    const form = { ...formOf(data), signal: sources.signal };
    const read = (onBadRow?: BadRowListener) => readPreferences(files, { ...form, onBadRow });
    const { vocabularySize, eosTokenIds } = coding;
    const ends = { responseEnd, endTokenIds: [...eosTokenIds] };
    const { rows, report } = await tokenizedRows(name, coding, {
      kind: ['preferences', formOf(data)],
      files,
      badRows,
      read,
      options: { vocabularySize, maxRows, ...limitsOf(data, coding), ...ends },
      tokenize: (found, options) => tokenizePreferences(found, coding.tokenizer, options),
    });
    reportRows(name, report, coding, sources);
    return { rows, texts: () => promptsOf(read(listBadRows(badRows).onBadRow), rows, coding.tokenizer) };
  };
  const train = await load('train', data.train, data.trainSplit, data.maxRows);
  const held = data.eval === undefined ? undefined : await load('eval', data.eval, data.evalSplit);
  return {
    train: train.rows,
    held: held?.rows ?? [],
    texts: async () => ({ promptOf: await train.texts(), heldPromptOf: (await held?.texts()) ?? noPrompt }),
  };
}

function noPrompt(): never {
  throw new Error('there are no held-out rows');
}

/** The prompts of tokenised rows, read from where they came from, no further than the last of them. */
async function promptsOf(
  rows: AsyncIterable<PreferenceRow>,
  tokenized: readonly TokenizedPreference[],
  tokenizer: Tokenizer | undefined,
): Promise<(row: TokenizedPreference) => RunPrompt> {
  const read: PreferenceRow[] = [];
  const count = tokenized.at(-1)!.row + 1;
  for await (const row of rows) {
    read.push(row);
    if (read.length === count) break;
  }
  return ({ row }) => promptOf(read[row]!, tokenizer);
}

/** How rows are read, as a recipe or flags say it. */
export function formOf({
  templateArguments,
  columns,
}: Partial<Pick<ObjectiveRecipe['data'], 'templateArguments' | 'columns'>>): FormOptions {
  return { templateArguments, columnNames: columns };
}

/** What is said of a data set. */
interface ReportedRows {
  readonly summary: string;
  /** Lines about rows that were left out because they are bad. */
  readonly badRows?: readonly string[] | undefined;
}

/** Says what became of the rows of a data set, and warns of rows that are longer than the model was made for. */
export function reportRows(
  name: string,
  { summary, sequence, badRows = [] }: Pick<SequenceReport, 'sequence'> & ReportedRows,
  { contextLength }: Pick<TextCoding, 'contextLength'>,
  { report }: Pick<Sources, 'report'>,
): void {
  report(`${name}: ${summary}`);
  for (const line of badRows) report(`${name}: ${line}`);
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
