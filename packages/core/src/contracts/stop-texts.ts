import type { Tokenizer } from './tokenizer.js';

/** Text of a response without its end, and where in it a stop text begins; -1 for nowhere. */
function placeOfStop(tokens: ArrayLike<number>, stop: readonly string[], tokenizer: Tokenizer) {
  const text = tokenizer.decode(tokens, { keepSpecialTokens: true });
  const places = stop.map((ending) => text.indexOf(ending)).filter((at) => at >= 0);
  return { text, place: places.length === 0 ? -1 : Math.min(...places) };
}

/**
 * True for a response that its last token made hold a stop text. Only the last tokens are looked at, as many as may have
 * written the longest of them.
 */
export function endsWithStop(tokens: readonly number[], stop: readonly string[], tokenizer: Tokenizer): boolean {
  const longest = Math.max(...stop.map((ending) => Buffer.byteLength(ending)));
  return placeOfStop(tokens.slice(-longest - MOST_BYTES_OF_A_CHARACTER), stop, tokenizer).place >= 0;
}

/** A token may hold a part of a character. */
const MOST_BYTES_OF_A_CHARACTER = 4;

/** The ids up to the token with which the first stop text begins; all of them where there is none. */
export function beforeStop(tokens: Int32Array, stop: readonly string[], tokenizer: Tokenizer): Int32Array {
  const { text, place } = placeOfStop(tokens, stop, tokenizer);
  if (place < 0) return tokens;
  const before = text.slice(0, place);
  for (let length = tokens.length; length > 0; length--) {
    const part = tokens.subarray(0, length);
    if (before.startsWith(tokenizer.decode(part, { keepSpecialTokens: true }))) return part;
  }
  return new Int32Array();
}
