type JsonObject = Readonly<Record<string, unknown>>;

/** The pattern that a byte-level pre-tokenizer splits by, as GPT-2 has it. */
const BYTE_LEVEL = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * A tokenizer.json in words that the embedded library reads exactly: `Digits` and the pattern inside `ByteLevel`, which it
 * takes for JavaScript's, become splits by the patterns that they stand for.
 */
export function rewrittenForEmbedded(tokenizer: JsonObject): Record<string, unknown> {
  return { ...tokenizer, pre_tokenizer: rewritten(tokenizer.pre_tokenizer as JsonObject | null | undefined) };
}

function rewritten(stated: JsonObject | null | undefined): JsonObject | null {
  if (stated === null || stated === undefined) return null;
  switch (stated.type) {
    case 'Sequence':
      return { ...stated, pretokenizers: (stated.pretokenizers as JsonObject[]).map(rewritten) };
    case 'Digits':
      return split(stated.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    case 'ByteLevel': {
      if (stated.use_regex === false || stated.add_prefix_space === true) return stated;
      return { type: 'Sequence', pretokenizers: [split(BYTE_LEVEL), { ...stated, use_regex: false }] };
    }
    default:
      return stated;
  }
}

function split(pattern: string): JsonObject {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}
