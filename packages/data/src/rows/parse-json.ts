/**
 * The value of a JSON text, also of one that Python's json wrote: `NaN` is null, `Infinity` the number.
 * @throws SyntaxError when it is neither
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const plain = text.replace(STRING_OR_NUMBER, (found) => NUMBERS[found] ?? found);
    if (plain === text) throw error;
    return JSON.parse(plain);
  }
}

/** A string, which is stepped over, or a number that only Python writes. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g;

const NUMBERS: Readonly<Record<string, string | undefined>> = {
  NaN: 'null',
  Infinity: '1e999',
  '-Infinity': '-1e999',
};

/** True when some text of a JSON value holds half a character, which UTF-8 cannot hold. */
export function hasHalfCharacter(text: string, value: unknown): boolean {
  return /\\u[dD][89a-fA-F]/.test(text) && HALF.test(JSON.stringify(value));
}

/** `JSON.stringify` escapes a surrogate only where it stands alone; an even number of backslashes is text. */
const HALF = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;
