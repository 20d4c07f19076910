import type { Tokenizer } from './tokenizer.js';

/** The text up to the first stop text in it; all of it where there is none. */
export function textBeforeStop(text: string, stop: readonly string[]): string {
  const places = stop.map((ending) => text.indexOf(ending)).filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...places));
}

/**
 * True for a response that its last token made hold a stop text. Only the last tokens are looked at, as many as may have
 * written the longest of them.
 */
export function endsWithStop(tokens: readonly number[], stop: readonly string[], tokenizer: Tokenizer): boolean {
  const longest = Math.max(...stop.map((ending) => Buffer.byteLength(ending)));
  const last = tokens.slice(-longest - MOST_BYTES_OF_A_CHARACTER);
  const text = tokenizer.decode(last, { keepSpecialTokens: true });
  return textBeforeStop(text, stop) !== text;
}

/** A token may hold a part of a character. */
const MOST_BYTES_OF_A_CHARACTER = 4;

/** The ids up to the token with which the first stop text begins; all of them where there is none. */
export function beforeStop(tokens: Int32Array, stop: readonly string[], tokenizer: Tokenizer): Int32Array {
  const text = tokenizer.decode(tokens, { keepSpecialTokens: true });
  const before = textBeforeStop(text, stop);
  if (before === text) return tokens;
  for (let length = tokens.length; length > 0; length--) {
    const part = tokens.subarray(0, length);
    if (before.startsWith(tokenizer.decode(part, { keepSpecialTokens: true }))) return part;
  }
  return new Int32Array();
}
