import type { ChatMessage } from '@metaapo/core/contracts';
import { z } from 'zod';
import { type DataRow, describeValue, isList, rowError } from './data-row.js';
import { promptError, typeError } from './row-errors.js';
import { KIND_WORDS } from './value-kinds.js';

const messageList = z.array(z.object({ role: z.string().min(1), content: z.string() })).min(1);

/** Messages of a column, reduced to role and content. */
export function messagesIn(row: DataRow, column: string): readonly ChatMessage[] {
  const { data, error } = messageList.safeParse(row.values[column]);
  if (data) return data;
  const [issue] = error.issues;
  const place = issue!.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
  throw rowError(row, `\`${column}${place}\` is wrong: ${issue!.message}`, {
    expected: 'messages such as {"role": "user", "content": "text"}',
    remedy: 'Correct the row, or leave it out',
  });
}

/** The text of the column `prompt`, which is not blank. */
export function promptTextIn(row: DataRow): string {
  const prompt = row.values.prompt;
  if (typeof prompt === 'string' && prompt.trim() !== '') return prompt;
  throw promptError(row, `${KIND_WORDS.text} or ${KIND_WORDS.messages}`);
}

/** Token ids of a column as a new `Int32Array`. */
export function tokensIn(row: DataRow, column: string): Int32Array {
  const list = row.values[column];
  if (column === 'prompt' && (!isList(list) || list.length === 0)) throw promptError(row, KIND_WORDS.tokens);
  if (!isList(list)) throw typeError(row, column, KIND_WORDS.tokens);
  return Int32Array.from(list, (value, position) => {
    const id = typeof value === 'bigint' ? Number(value) : value;
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 31) return id;
    throw rowError(row, `\`${column}[${position}]\` is not a token id`, {
      expected: 'a whole number from 0',
      got: describeValue(value),
      remedy: 'Correct the row, or leave it out',
    });
  });
}

/** A number of a column, or `undefined` where the row has none. */
export function numberIn(row: DataRow, column: string): number | undefined {
  const value = row.values[column];
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw typeError(row, column, 'a finite number, or nothing');
}
