import { type TimeLimit, withinTime } from '@metaapo/core/storage';

/** Milliseconds that an expression of a recipe has for one text. */
const LIMIT_MS = 2000;

/**
 * What a regular expression of a recipe finds in one text.
 * @throws MetaapoError with code `config` when it takes too long
 */
export function matchedBy<Result>(where: string, match: () => Result): Result {
  const limit: TimeLimit = {
    where,
    what: 'the regular expression',
    limitMs: LIMIT_MS,
    code: 'config',
    remedy: 'Write it without parts that repeat inside of parts that repeat',
  };
  return withinTime(match, limit);
}
