import type { DemonstrationRow } from '@metaapo/core/contracts';
import type { DataFile } from './data-file.js';
import { type DataRow, rowError } from './data-row.js';
import { FOREIGN_TO_TRAINING, refuseForeign } from './foreign-columns.js';
import { parseAnswers } from './parse-answers.js';
import { type ConversationOptions, type FormOptions, parsedRows } from './read-rows.js';
import { typeError } from './row-errors.js';
import { CHAT_COLUMNS } from './row-values.js';
import { KIND_WORDS, kindOf } from './value-kinds.js';

/** Columns that hold a response or a whole conversation, the first one that a row has counts. */
const COLUMNS = ['messages', 'response', 'completion'] as const;

/** Which rows to read, and where their responses are. */
export interface DemonstrationReadOptions extends FormOptions {
  /** Column of the responses, `chosen` for example; default `messages`, `response` or `completion`. */
  readonly column?: string | undefined;
}

/**
 * Demonstrations of one or several data files in order, each checked. Forms of rows:
 * - a conversation: `messages` as a message list that ends with the assistant's; every message of the assistant counts;
 * - `prompt` with `response` or `completion`: text or message lists, or lists of token ids; the prompt is given, also
 *   where it holds earlier messages of the assistant.
 *
 * A message list without a prompt of messages beside it is a whole conversation, whatever its column; a prompt of text is
 * then the user's message before a response alone, and a repetition before a history. Other columns are left alone, but for those
 * that change numbers elsewhere.
 * @throws MetaapoError with code `data` at the first bad row, naming file, row and column
 */
export function readDemonstrations(
  files: string | readonly DataFile[],
  { column, ...options }: DemonstrationReadOptions = {},
): AsyncGenerator<DemonstrationRow> {
  const columns = ['prompt', ...(column === undefined ? COLUMNS : [column]), ...CHAT_COLUMNS, ...FOREIGN_TO_TRAINING];
  return parsedRows(files, columns, options, (row) => parseDemonstration(row, column, options));
}

/**
 * The demonstration that a row states.
 * @param column column of the responses; default the first of `messages`, `response` and `completion` that the row has
 * @throws MetaapoError with code `data` naming file, row and column
 */
export function parseDemonstration(
  row: DataRow,
  column: string = columnOf(row),
  { templateArguments }: ConversationOptions = {},
): DemonstrationRow {
  refuseForeign(row, FOREIGN_TO_TRAINING);
  if (column === 'messages' && kindOf(row.values.messages) !== 'messages') {
    throw typeError(row, column, KIND_WORDS.messages);
  }
  const { form, prompt, answers, ...context } = parseAnswers(row, [column], templateArguments);
  const origin = { file: row.file, row: row.row };
  if (form !== 'messages') return { ...origin, form, prompt, response: answers[0] } as DemonstrationRow;
  const messages = answers[0]!;
  const isGiven = kindOf(row.values.prompt) === 'messages';
  return isGiven
    ? { ...origin, form, prompt, messages, ...context }
    : { ...origin, form, prompt: [], messages: [...prompt, ...messages], ...context };
}

function columnOf(row: DataRow): string {
  const column = COLUMNS.find((name) => kindOf(row.values[name]) !== 'absent');
  if (column !== undefined) return column;
  throw rowError(row, 'the row has no response', {
    expected: '`messages`, or `prompt` with `response` or `completion`',
    got: `the columns ${Object.keys(row.values).join(', ') || '(none)'}`,
    remedy: 'Rename the column, or name it with `column`, such as chosen in preference data',
  });
}
