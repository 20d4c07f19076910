import type { ChatContext, ChatMessage, RowOrigin } from '@metaapo/core/contracts';
import type { DataFile } from './data-file.js';
import { type DataRow, isList } from './data-row.js';
import { FOREIGN_TO_PROMPTS, refuseForeign } from './foreign-columns.js';
import { type Answered, checkNoChat, parseAnswers } from './parse-answers.js';
import { type ConversationOptions, type FormOptions, parsedRows } from './read-rows.js';
import { CHAT_COLUMNS, chatIn, messagesIn, promptTextIn, tokensIn, withSystem } from './row-values.js';
import { kindOf } from './value-kinds.js';

/** A prompt as the data states it. */
export type PromptRow = RowOrigin &
  (
    | {
        readonly form: 'messages';
        readonly prompt: readonly ChatMessage[];
        readonly chat?: ChatContext | undefined;
      }
    | { readonly form: 'text'; readonly prompt: string }
    | { readonly form: 'tokens'; readonly prompt: Int32Array }
  );

/** A prompt with one response as the data states it. */
export type ResponseRow = RowOrigin &
  (
    | {
        readonly form: 'messages';
        readonly prompt: readonly ChatMessage[];
        readonly response: readonly ChatMessage[];
        readonly chat?: ChatContext | undefined;
      }
    | { readonly form: 'text'; readonly prompt: string; readonly response: string }
    | { readonly form: 'tokens'; readonly prompt: Int32Array; readonly response: Int32Array }
  );

/**
 * Prompts of rows `{prompt}`: a message list, text as it is, or token ids.
 * @throws MetaapoError with code `data` at the first bad row, naming file and row
 */
export function readPrompts(files: string | readonly DataFile[], options: FormOptions = {}): AsyncGenerator<PromptRow> {
  const parse = (row: DataRow) => ({ file: row.file, row: row.row, ...parsePrompt(row, options) }) as PromptRow;
  return parsedRows(files, ['prompt', ...CHAT_COLUMNS, ...FOREIGN_TO_PROMPTS], options, parse);
}

/**
 * Prompts and responses of rows `{prompt, response}` in the forms of {@link readPreferences}; a response may say nothing. Of a
 * prompt of token ids the response may be the ids in `response_ids`, beside its text.
 * @throws MetaapoError with code `data` at the first bad row, naming file and row
 */
export function readResponses(
  files: string | readonly DataFile[],
  options: FormOptions = {},
): AsyncGenerator<ResponseRow> {
  return parsedRows(
    files,
    ['prompt', 'response', 'response_ids', ...CHAT_COLUMNS, ...FOREIGN_TO_PROMPTS],
    options,
    (row) => {
      refuseForeign(row, FOREIGN_TO_PROMPTS);
      const { answers, ...rest } = parseAnswers(withIds(row), ['response'], options.templateArguments, true);
      return { file: row.file, row: row.row, ...rest, response: answers[0] } as ResponseRow;
    },
  );
}

function withIds(row: DataRow): DataRow {
  const { prompt, response_ids: ids } = row.values;
  return isList(ids) && kindOf(prompt) === 'tokens' ? { ...row, values: { ...row.values, response: ids } } : row;
}

function parsePrompt(row: DataRow, { templateArguments }: ConversationOptions): Omit<Answered, 'answers'> {
  refuseForeign(row, FOREIGN_TO_PROMPTS);
  const kind = kindOf(row.values.prompt);
  if (kind === 'messages') {
    const chat = chatIn(row, templateArguments);
    return { form: kind, prompt: withSystem(row, messagesIn(row, 'prompt')), ...(chat && { chat }) };
  }
  checkNoChat(row);
  if (kind === 'tokens') return { form: kind, prompt: tokensIn(row, 'prompt') };
  return { form: 'text', prompt: promptTextIn(row) };
}
