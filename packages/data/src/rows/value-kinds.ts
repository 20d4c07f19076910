import { isList } from './data-row.js';

/** What a column of a row holds. */
export type ValueKind = 'absent' | 'text' | 'messages' | 'tokens' | 'empty' | 'other';

/** Kinds in words, for error messages. */
export const KIND_WORDS: Readonly<Record<ValueKind, string>> = {
  absent: 'nothing',
  text: 'text',
  messages: 'a list of messages',
  tokens: 'a list of token ids',
  empty: 'an empty list',
  other: 'another type',
};

/** Kind of a value, judged by its type and, in a list, by the first element. */
export function kindOf(value: unknown): ValueKind {
  if (value === undefined || value === null) return 'absent';
  if (typeof value === 'string') return 'text';
  if (!isList(value)) return 'other';
  if (value.length === 0) return 'empty';
  const first = value[0];
  if (typeof first === 'number' || typeof first === 'bigint') return 'tokens';
  return typeof first === 'object' && first !== null && !isList(first) ? 'messages' : 'other';
}
