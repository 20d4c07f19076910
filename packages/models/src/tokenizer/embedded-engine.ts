import { Tokenizer as EmbeddedTokenizer } from '@huggingface/tokenizers';
import { MetaapoError } from '@metaapo/core/contracts';
import { withinTime } from '@metaapo/core/storage';
import type { EncodingEngine, EngineSource } from './encoding-engine.js';
import { inexactConstructs } from './inexact-constructs.js';
import { rewrittenForEmbedded } from './rewritten-for-embedded.js';

/** Longest stretch of encoding without a look at events, in milliseconds. */
const STRETCH = 20;

/**
 * The engine in plain JavaScript.
 * @param stated what the tokenizer is made from: tokenizer.json with the added tokens that hold
 * @param withoutNative why there is no native engine
 * @throws MetaapoError with code `checkpoint` when it does not compute this kind of tokenizer exactly
 */
export function embeddedEngine(
  { directory }: EngineSource,
  stated: Readonly<Record<string, unknown>>,
  withoutNative: string,
): EncodingEngine {
  const inexact = inexactConstructs(stated);
  if (inexact.length > 0) {
    throw new MetaapoError('checkpoint', 'the embedded tokenizer does not compute this kind exactly', {
      where: `${directory}/tokenizer.json`,
      expected: 'parts that give the ids of the original on every text',
      got: `${inexact.join(', ')}; the native library is not used: ${withoutNative}`,
      remedy: 'Install the native library beside @metaapo/models: npm install tokenizers',
    });
  }
  const tokenizer = create(stated, directory);
  const limit = { where: `${directory}/tokenizer.json`, what: 'the tokenizer' };
  const encode = (text: string, addSpecialTokens: boolean): Int32Array =>
    text === '' && !addSpecialTokens
      ? new Int32Array(0)
      : withinTime(() => Int32Array.from(tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids), limit);
  return { name: 'embedded', encode, encodeBatch: (texts, added) => inStretches(texts, (text) => encode(text, added)) };
}

function create(stated: Readonly<Record<string, unknown>>, directory: string): EmbeddedTokenizer {
  try {
    return new EmbeddedTokenizer(rewrittenForEmbedded(stated), { clean_up_tokenization_spaces: false });
  } catch (cause) {
    throw new MetaapoError('checkpoint', `tokenizer.json is not supported: ${(cause as Error).message}`, {
      where: directory,
      cause,
      remedy: 'Install the native library beside @metaapo/models: npm install tokenizers',
    });
  }
}

async function inStretches<Item, Result>(items: readonly Item[], map: (item: Item) => Result): Promise<Result[]> {
  const results: Result[] = [];
  let start = performance.now();
  for (const item of items) {
    if (performance.now() - start > STRETCH) {
      await new Promise((resolve) => setImmediate(resolve));
      start = performance.now();
    }
    results.push(map(item));
  }
  return results;
}
