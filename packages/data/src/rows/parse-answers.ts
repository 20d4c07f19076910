import type { ChatMessage } from '@metaapo/core/contracts';
import type { DataRow } from './data-row.js';
import { emptyError, missingError, typeError } from './row-errors.js';
import { messagesIn, promptTextIn, tokensIn } from './row-values.js';
import { splitConversations } from './split-conversations.js';
import { KIND_WORDS, kindOf } from './value-kinds.js';

/** One prompt with its answers, in the order of the columns asked for. */
export type Answered =
  | { readonly form: 'messages'; readonly prompt: readonly ChatMessage[]; readonly answers: readonly ChatMessage[][] }
  | { readonly form: 'text'; readonly prompt: string; readonly answers: readonly string[] }
  | { readonly form: 'tokens'; readonly prompt: Int32Array; readonly answers: readonly Int32Array[] };

const FORMS = 'message lists, or text, or lists of token ids';

/**
 * The prompt of a row and the answers in the given columns, in the form that the row has.
 * @throws MetaapoError with code `data` naming the row and what is wrong with it
 */
export function parseAnswers(row: DataRow, columns: readonly string[]): Answered {
  const kind = commonKind(row, columns);
  if (kind === 'messages') return { form: 'messages', ...splitConversations(row, columns) };
  if (kind === 'tokens') {
    return { form: 'tokens', prompt: tokensIn(row, 'prompt'), answers: columns.map((column) => tokensIn(row, column)) };
  }
  const answers = columns.map((column) => row.values[column] as string);
  if (kindOf(row.values.prompt) !== 'messages') return { form: 'text', prompt: promptTextIn(row), answers };
  const said = answers.map((content) => [{ role: 'assistant', content }]);
  return { form: 'messages', prompt: messagesIn(row, 'prompt'), answers: said };
}

/** The one kind that all the answers of a row have. */
function commonKind(row: DataRow, columns: readonly string[]): 'text' | 'messages' | 'tokens' {
  const kinds = columns.map((column) => answerKind(row, column));
  const different = kinds.findIndex((kind) => kind !== kinds[0]);
  if (different === -1) return kinds[0]!;
  throw typeError(row, columns[different]!, `${KIND_WORDS[kinds[0]!]}, as \`${columns[0]}\` is`);
}

function answerKind(row: DataRow, column: string): 'text' | 'messages' | 'tokens' {
  const kind = kindOf(row.values[column]);
  if (kind === 'absent') throw missingError(row, column, `\`${column}\`: ${FORMS}`);
  if (kind === 'other') throw typeError(row, column, FORMS);
  if (kind === 'empty' || (kind === 'text' && (row.values[column] as string).trim() === ''))
    throw emptyError(row, column);
  return kind;
}
