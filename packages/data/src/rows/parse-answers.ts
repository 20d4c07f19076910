import type { ChatContext, ChatMessage } from '@metaapo/core/contracts';
import { type DataRow, rowError } from './data-row.js';
import { startOfAnswers } from './first-difference.js';
import { emptyError, missingError, typeError } from './row-errors.js';
import { chatColumnsIn, chatIn, messagesIn, promptTextIn, tokensIn, withSystem } from './row-values.js';
import { splitConversations } from './split-conversations.js';
import { KIND_WORDS, kindOf } from './value-kinds.js';

/** One prompt with its answers, in the order of the columns asked for. */
export type Answered =
  | {
      readonly form: 'messages';
      readonly prompt: readonly ChatMessage[];
      readonly answers: readonly ChatMessage[][];
      readonly chat?: ChatContext | undefined;
    }
  | { readonly form: 'text'; readonly prompt: string; readonly answers: readonly string[] }
  | { readonly form: 'tokens'; readonly prompt: Int32Array; readonly answers: readonly Int32Array[] };

const FORMS = 'message lists, or text, or lists of token ids';

/**
 * The prompt of a row and the answers in the given columns, in the form that the row has.
 * @param mayBeEmpty true where an answer may say nothing
 * @throws MetaapoError with code `data` naming the row and what is wrong with it
 */
export function parseAnswers(
  row: DataRow,
  columns: readonly string[],
  templateArguments?: ChatContext['templateArguments'],
  mayBeEmpty = false,
): Answered {
  const kind = commonKind(row, columns, mayBeEmpty);
  const chat = chatIn(row, templateArguments);
  const context = chat && { chat };
  if (kind === 'messages') {
    const { prompt, answers } = splitConversations(row, columns);
    return { form: 'messages', prompt: withSystem(row, prompt), answers, ...context };
  }
  if (kind === 'text' && kindOf(row.values.prompt) === 'messages') {
    const said = columns.map((column) => [{ role: 'assistant', content: row.values[column] as string }]);
    return { form: 'messages', prompt: withSystem(row, messagesIn(row, 'prompt')), answers: said, ...context };
  }
  checkNoChat(row);
  if (kind === 'tokens') {
    return { form: 'tokens', prompt: tokensIn(row, 'prompt'), answers: columns.map((column) => tokensIn(row, column)) };
  }
  checkIsNoConversation(row, columns);
  const answers = columns.map((column) => row.values[column] as string);
  if (columns.length === 1 || kindOf(row.values.prompt) !== 'absent') {
    return { form: 'text', prompt: promptTextIn(row), answers };
  }
  return { form: 'text', ...withoutPrompt(row, columns, answers) };
}

/** Keys of a message, as JSON or Python writes them. */
const MESSAGE_KEYS = /^\s*\[\s*\{[^{}]*?["'](?:role|from)["']\s*:/;

/**
 * Refuses conversations that are written as text: the model would learn their syntax.
 * @throws MetaapoError with code `data`
 */
function checkIsNoConversation(row: DataRow, columns: readonly string[]): void {
  const isWritten = (column: string): boolean => {
    const text = row.values[column];
    return typeof text === 'string' && MESSAGE_KEYS.test(text);
  };
  // A single answer among others may be JSON that was asked for.
  const written = isWritten('prompt') ? 'prompt' : columns.every(isWritten) ? columns[0] : undefined;
  if (written === undefined) return;
  throw typeError(row, written, 'text, or a list of messages that is not written as text');
}

/** Texts that begin with their prompt. */
function withoutPrompt(
  row: DataRow,
  columns: readonly string[],
  texts: readonly string[],
): { readonly prompt: string; readonly answers: readonly string[] } {
  const start = startOfAnswers(texts[0]!, texts[1]!);
  const prompt = texts[0]!.slice(0, start);
  if (prompt.trim() === '') throw missingError(row, 'prompt', '`prompt`, or texts that begin alike');
  const answers = texts.map((text) => text.slice(start));
  const blank = answers.findIndex((answer) => answer.trim() === '');
  if (blank !== -1) throw emptyError(row, columns[blank]!);
  return { prompt, answers };
}

/**
 * Refuses columns for a chat template in a row that none renders.
 * @throws MetaapoError with code `data`
 */
export function checkNoChat(row: DataRow): void {
  const [column] = chatColumnsIn(row);
  if (column === undefined) return;
  throw rowError(row, `\`${column}\` needs messages`, {
    expected: 'a prompt or answers as message lists, which the chat template renders',
    got: 'a row of text or token ids',
    remedy: `Give the row as messages, or leave the column out with data.columns: {${column}: false}`,
  });
}

/** The one kind that all the answers of a row have. */
function commonKind(row: DataRow, columns: readonly string[], mayBeEmpty: boolean): 'text' | 'messages' | 'tokens' {
  const kinds = columns.map((column) => answerKind(row, column, mayBeEmpty));
  const different = kinds.findIndex((kind) => kind !== kinds[0]);
  if (different === -1) return kinds[0]!;
  throw typeError(row, columns[different]!, `${KIND_WORDS[kinds[0]!]}, as \`${columns[0]}\` is`);
}

function answerKind(row: DataRow, column: string, mayBeEmpty: boolean): 'text' | 'messages' | 'tokens' {
  const kind = kindOf(row.values[column]);
  if (kind === 'absent') throw missingError(row, column, `\`${column}\`: ${FORMS}`);
  if (kind === 'other') throw typeError(row, column, FORMS);
  if (mayBeEmpty && kind === 'empty' && kindOf(row.values.prompt) === 'tokens') return 'tokens';
  if (mayBeEmpty && kind === 'text') return kind;
  if (kind === 'empty' || (kind === 'text' && (row.values[column] as string).trim() === ''))
    throw emptyError(row, column);
  return kind;
}
