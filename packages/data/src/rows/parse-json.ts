import { FloatNumber } from '@metaapo/core/contracts';

/**
 * The value of a JSON text, also of one that Python's json wrote: `NaN` is null, `Infinity` the number. A whole number that
 * is written as a float, such as 1.0, is a `FloatNumber`, and one that JavaScript would change a `bigint`.
 * @throws SyntaxError when it is neither
 */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return MAY_NEED_CARE.test(text) ? parsedWithCare(text) : value;
  } catch (error) {
    const plain = text.replace(STRING_OR_NUMBER, (found) => NUMBERS[found] ?? found);
    if (plain === text) throw error;
    return parseJson(plain);
  }
}

/** What a float that is whole, or an integer of too many digits, looks like; texts may do so too. */
const MAY_NEED_CARE = /\d\.0+(?!\d)|\d[eE][-+]?\d|\d{16}/;

/** A string, which is stepped over, or a number: JSON's, or one that only Python writes. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b|-?\b\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

const NUMBERS: Readonly<Record<string, string | undefined>> = {
  NaN: 'null',
  Infinity: '1e999',
  '-Infinity': '-1e999',
};

/** Keys that no data have: what stands for a float or a large integer while the text is parsed. */
const FLOAT = '\0float';
const INTEGER = '\0integer';

/** @param text valid JSON */
function parsedWithCare(text: string): unknown {
  const marked = text.replace(STRING_OR_NUMBER, markedNumber);
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const held = value as Readonly<Record<string, unknown>>;
    if (Object.hasOwn(held, FLOAT)) return new FloatNumber(held[FLOAT] as number);
    return Object.hasOwn(held, INTEGER) ? BigInt(held[INTEGER] as string) : value;
  });
}

function markedNumber(found: string): string {
  if (found.startsWith('"')) return found;
  const number = Number(found);
  if (!Number.isInteger(number)) return found;
  if (/[.eE]/.test(found)) return `{${JSON.stringify(FLOAT)}: ${found}}`;
  return Number.isSafeInteger(number) ? found : JSON.stringify({ [INTEGER]: found });
}

/** A value whose floats are plain numbers, as columns have them that no template sees. */
export function withPlainNumber(value: unknown): unknown {
  if (value instanceof FloatNumber) return value.value;
  return Array.isArray(value) && value.some((item) => item instanceof FloatNumber) ? value.map(withPlainNumber) : value;
}

/** True when some text of a JSON value holds half a character, which UTF-8 cannot hold. */
export function hasHalfCharacter(text: string, value: unknown): boolean {
  return (
    /\\u[dD][89a-fA-F]/.test(text) &&
    HALF.test(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)))
  );
}

/** `JSON.stringify` escapes a surrogate only where it stands alone; an even number of backslashes is text. */
const HALF = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;
