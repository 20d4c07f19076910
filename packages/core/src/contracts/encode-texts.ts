import type { Tokenizer } from './tokenizer.js';

/** A text to encode, with what the post-processor adds or without. */
export interface TextToEncode {
  readonly text: string;
  readonly addSpecialTokens: boolean;
}

/** Token ids of many texts, in their order: side by side where the tokenizer can, those with and without special tokens apart. */
export async function encodeTexts(
  texts: readonly TextToEncode[],
  tokenizer: Tokenizer,
): Promise<readonly Int32Array[]> {
  const ids = new Array<Int32Array>(texts.length);
  for (const addSpecialTokens of [false, true]) {
    const places = [...texts.keys()].filter((at) => texts[at]!.addSpecialTokens === addSpecialTokens);
    if (places.length === 0) continue;
    const own = places.map((at) => texts[at]!.text);
    const encoded = tokenizer.encodeBatch
      ? await tokenizer.encodeBatch(own, { addSpecialTokens })
      : own.map((text) => tokenizer.encode(text, { addSpecialTokens }));
    for (const [index, at] of places.entries()) ids[at] = encoded[index]!;
  }
  return ids;
}
