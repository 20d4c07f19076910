import { isDeepStrictEqual } from 'node:util';
import { type ChatMessage, messageText } from '@metaapo/core/contracts';
import { type DataRow, rowError } from './data-row.js';
import { firstDifference } from './first-difference.js';
import { emptyError } from './row-errors.js';
import { messagesIn, promptTextIn } from './row-values.js';
import { kindOf } from './value-kinds.js';

interface SplitConversations {
  readonly prompt: readonly ChatMessage[];
  readonly answers: ChatMessage[][];
}

/**
 * The shared history and the answers of conversations in the given columns. With a message list as prompt the columns
 * hold the answers alone, or the prompt again before them; otherwise two columns are split where they differ first, and
 * the answer of a single one is its last message. A text prompt is the user's message where the columns hold answers
 * alone; where they hold the history, the history is taken, since data sets repeat one of its messages as the prompt.
 * @throws MetaapoError with code `data` for different histories, no prompt, an empty answer, or one that is not the assistant's
 */
export function splitConversations(row: DataRow, columns: readonly string[]): SplitConversations {
  const lists = columns.map((column) => messagesIn(row, column));
  const split =
    kindOf(row.values.prompt) === 'messages' ? afterPrompt(row, columns, lists) : withoutPrompt(row, columns, lists);
  for (const [index, answer] of split.answers.entries()) checkAnswer(row, columns[index]!, answer);
  return split;
}

function afterPrompt(
  row: DataRow,
  columns: readonly string[],
  lists: readonly (readonly ChatMessage[])[],
): SplitConversations {
  const prompt = messagesIn(row, 'prompt');
  const repeats = lists.map((list) => sharedMessages(prompt, list) === prompt.length);
  const different = repeats.indexOf(!repeats[0]);
  if (different !== -1) throw historyError(row, columns[0]!, columns[different]!, 0);
  return { prompt, answers: lists.map((list) => list.slice(repeats[0] ? prompt.length : 0)) };
}

function withoutPrompt(
  row: DataRow,
  columns: readonly string[],
  lists: readonly (readonly ChatMessage[])[],
): SplitConversations {
  const start = lists.length === 1 ? lists[0]!.length - 1 : firstDifference(lists[0]!, lists[1]!, isDeepStrictEqual);
  const answers = lists.map((list) => list.slice(start));
  const isAnswered = answers.every((answer) => answer.at(-1)!.role === 'assistant');
  const asks = answers.findIndex(([message]) => message!.role === 'user' || message!.role === 'system');
  if (isAnswered && asks !== -1) throw historyError(row, columns[0]!, columns[1] ?? columns[0]!, start);
  if (start > 0) return { prompt: lists[0]!.slice(0, start), answers };
  return { prompt: [{ role: 'user', content: promptTextIn(row) }], answers };
}

/** How many messages two lists have in common from the start. */
function sharedMessages(first: readonly ChatMessage[], second: readonly ChatMessage[]): number {
  const different = first.findIndex((message, index) => !isDeepStrictEqual(message, second[index]));
  return different === -1 ? first.length : different;
}

function checkAnswer(row: DataRow, column: string, answer: readonly ChatMessage[]): void {
  const last = answer.at(-1);
  if (last === undefined || messageText(last).trim() === '') throw emptyError(row, column);
  if (last.role === 'assistant') return;
  throw rowError(row, `\`${column}\` does not end with an answer`, {
    expected: 'a last message with the role assistant',
    got: `the role ${last.role}`,
    remedy: 'Correct the row, or leave it out',
  });
}

function historyError(row: DataRow, first: string, second: string, message: number): Error {
  return rowError(row, `\`${first}\` and \`${second}\` have different histories`, {
    expected: 'the same messages before those of the assistant',
    got: `a difference in message ${message} (counted from 0)`,
    remedy: 'Pair answers to one prompt only, or leave the row out',
  });
}
