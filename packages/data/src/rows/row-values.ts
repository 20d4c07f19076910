import { type ChatContext, type ChatMessage, messageText } from '@metaapo/core/contracts';
import { z } from 'zod';
import { type DataRow, describeValue, isList, rowError } from './data-row.js';
import { parseJson } from './parse-json.js';
import { promptError, typeError } from './row-errors.js';
import { KIND_WORDS } from './value-kinds.js';

const part = z.looseObject({ type: z.string(), text: z.string().nullish() });
const message = z
  .looseObject({ role: z.string().min(1), content: z.union([z.string(), z.array(part)]).nullish() })
  .refine((given) => (given.content !== undefined && given.content !== null ? true : hasMore(given)), {
    message: 'it has no content, and nothing in its place',
    path: ['content'],
  });
const messageList = z.array(message).min(1);

/** Keys beside which a message without content says nothing. */
const SILENT = ['role', 'content', 'name', 'weight', 'train'];

const hasMore = (given: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(given).some(([key, value]) => !SILENT.includes(key) && value !== null && value !== undefined);

/** Messages of a column with every key that they have; keys that hold nothing, as parquet adds them, are left out. */
export function messagesIn(row: DataRow, column: string): readonly ChatMessage[] {
  const stated = row.values[column];
  const { error } = messageList.safeParse(stated);
  // As stated, since a template may write keys in their order.
  if (error === undefined) return (stated as readonly ChatMessage[]).map(withoutNothing);
  const [issue] = error.issues;
  const place = issue!.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
  throw rowError(row, `\`${column}${place}\` is wrong: ${issue!.message}`, {
    expected: 'messages such as {"role": "user", "content": "text"}',
    remedy: 'Correct the row, or leave it out',
  });
}

const withoutNothing = (given: ChatMessage): ChatMessage =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined)) as ChatMessage;

/** Columns that a conversation may have beside its messages. */
export const CHAT_COLUMNS = ['system', 'tools', 'chat_template_kwargs'] as const;

/** The columns of a row that only a conversation can have. An empty `system` says nothing. */
export function chatColumnsIn({ values }: DataRow): readonly string[] {
  return CHAT_COLUMNS.filter((name) => {
    const value = values[name];
    return value !== undefined && value !== null && !(name === 'system' && value === '');
  });
}

/**
 * The messages of a row with its column `system` as the first of them, where they do not begin with it already.
 * @throws MetaapoError with code `data` where they begin with another one
 */
export function withSystem(row: DataRow, messages: readonly ChatMessage[]): readonly ChatMessage[] {
  if (!chatColumnsIn(row).includes('system')) return messages;
  const { system } = row.values;
  if (typeof system !== 'string') throw typeError(row, 'system', KIND_WORDS.text);
  const [first] = messages;
  if (first?.role !== 'system' && first?.role !== 'developer')
    return [{ role: 'system', content: system }, ...messages];
  if (messageText(first) === system) return messages;
  throw rowError(row, 'the column `system` and the first message say different things', {
    expected: 'the same text in both, or in one of them',
    got: describeValue(system),
    remedy: 'Correct the row, or leave the column out with data.columns: {system: false}',
  });
}

/**
 * What a row has for the chat template beside its messages: `tools`, and `chat_template_kwargs` over the arguments that hold
 * for all rows; both may be written as JSON.
 */
export function chatIn(row: DataRow, templateArguments: ChatContext['templateArguments']): ChatContext | undefined {
  const tools = jsonIn(row, 'tools', z.array(z.looseObject({})), 'a list of tools, each an object');
  const own = jsonIn(row, 'chat_template_kwargs', z.record(z.string(), z.unknown()), 'an object of template variables');
  if (tools === undefined && own === undefined && templateArguments === undefined) return undefined;
  const all = { ...templateArguments, ...own };
  return { ...(tools && { tools }), ...(Object.keys(all).length > 0 && { templateArguments: all }) };
}

function jsonIn<Result>(row: DataRow, column: string, schema: z.ZodType<Result>, expected: string): Result | undefined {
  const stated = row.values[column];
  if (stated === undefined || stated === null) return undefined;
  const { data, success } = schema.safeParse(typeof stated === 'string' ? parsedOrText(stated) : stated);
  if (success) return data;
  throw typeError(row, column, expected);
}

function parsedOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
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
