import { isDeepStrictEqual } from 'node:util';
import { type ChatMessage, isFloatNumber, type PreferenceRow, type RowOrigin } from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';

/**
 * Whether an answer is to be learnt, by what it says of itself: `weight` 1 or 0, or `train` true or false.
 * @throws MetaapoError with code `data` for any other weight
 */
export function isTrained(origin: RowOrigin, { weight, train }: ChatMessage): boolean {
  if (weight !== undefined && !isZeroOrOne(weight)) {
    throw rowError(origin, 'the weight of a message is not supported', {
      expected: '1 for a message to learn, 0 for one that is given',
      got: JSON.stringify(weight),
      remedy: 'Leave such messages out, or give them the weight 1 or 0',
    });
  }
  if (train !== undefined && typeof train !== 'boolean') {
    throw rowError(origin, '`train` of a message is not supported', {
      expected: 'true for a message to learn, false for one that is given',
      got: JSON.stringify(train),
      remedy: 'Correct the row, or leave it out',
    });
  }
  return Number(weight ?? 1) === 1 && train !== false;
}

function isZeroOrOne(weight: unknown): boolean {
  const isNumber = typeof weight === 'number' || typeof weight === 'bigint' || isFloatNumber(weight);
  return isNumber && [0, 1].includes(Number(weight));
}

/**
 * Refuses a pair that its messages tell apart and its token ids do not, since the chat template leaves out what differs.
 * @throws MetaapoError with code `data`
 */
export function checkTellsApart(row: PreferenceRow, chosen: Int32Array, rejected: Int32Array): void {
  if (row.form !== 'messages' || chosen.length !== rejected.length) return;
  if (!chosen.every((id, index) => id === rejected[index])) return;
  const contents = [row.chosen, row.rejected].map((messages) => messages.map(({ content }) => content));
  const others = [row.chosen, row.rejected].map((messages) =>
    messages.map(({ content, name, weight, train, ...rest }) => rest),
  );
  if (!isDeepStrictEqual(contents[0], contents[1]) || isDeepStrictEqual(others[0], others[1])) return;
  throw rowError(row, 'the chat template renders both answers alike', {
    expected: 'a template that renders every key in which they differ',
    got: `the keys ${[...new Set(others.flat(2).flatMap(Object.keys))].join(', ')}`,
    remedy: 'Use a chat template that renders them, or leave the row out',
  });
}
