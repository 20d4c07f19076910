import { createHash } from 'node:crypto';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { embeddedEngine } from './embedded-engine.js';
import { NativeThread } from './native-thread.js';
import type { AddedToken } from './special-tokens.js';

/** What turns text into token ids. */
export interface EncodingEngine {
  /** `native`: the library `tokenizers`; `embedded`: plain JavaScript. Where both work their ids are the same. */
  readonly name: 'native' | 'embedded';
  encode(text: string, addSpecialTokens: boolean): Int32Array;
  /** Ids of many texts, on all cores where the engine is native. */
  encodeBatch(texts: readonly string[], addSpecialTokens: boolean): Promise<Int32Array[]>;
}

/** What an engine is made from. */
export interface EngineSource {
  readonly directory: string;
  /** tokenizer.json, parsed. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** The added tokens that hold. */
  readonly added: readonly AddedToken[];
}

/**
 * The native engine where its library loads, and else the embedded one for the kinds that it computes exactly.
 * @param wanted takes that engine and no other
 * @throws MetaapoError with code `checkpoint` when no engine computes this kind of tokenizer exactly
 */
export async function openEngine(source: EngineSource, wanted?: EncodingEngine['name']): Promise<EncodingEngine> {
  const stated = { ...source.tokenizer, added_tokens: source.added, truncation: null, padding: null };
  const native = wanted === 'embedded' ? 'not wanted' : await nativeEngine(JSON.stringify(stated));
  if (typeof native !== 'string') return explaining(native, source);
  if (wanted !== 'native') return explaining(embeddedEngine(source, stated, native), source);
  throw new MetaapoError('checkpoint', `the native tokenizer cannot be used: ${native}`, {
    where: source.directory,
    remedy: 'Install it beside @metaapo/models: npm install tokenizers',
  });
}

/** An engine whose errors, of texts for which the tokenizer has no ids, say whose they are. */
function explaining({ name, encode, encodeBatch }: EncodingEngine, { directory }: EngineSource): EncodingEngine {
  const explained = (cause: unknown): unknown =>
    isMetaapoError(cause)
      ? cause
      : new MetaapoError('checkpoint', `the tokenizer cannot encode a text: ${(cause as Error).message}`, {
          where: `${directory}/tokenizer.json`,
          cause,
          remedy: 'Correct the file, or leave out what it has no ids for',
        });
  return {
    name,
    encode(text, addSpecialTokens) {
      try {
        return encode(text, addSpecialTokens);
      } catch (cause) {
        throw explained(cause);
      }
    },
    encodeBatch: (texts, addSpecialTokens) =>
      encodeBatch(texts, addSpecialTokens).catch((cause: unknown) => {
        throw explained(cause);
      }),
  };
}

/** The native engine, or why there is none. */
async function nativeEngine(text: string): Promise<EncodingEngine | string> {
  const thread = NativeThread.shared();
  if (thread === undefined) return 'the package tokenizers is not installed';
  const key = createHash('sha256').update(text).digest('hex');
  try {
    await thread.ask({ load: text, key });
  } catch (error) {
    return `the package tokenizers does not load it (${(error as Error).message})`;
  }
  return {
    name: 'native',
    encode: (one, addSpecialTokens) => thread.askNow({ texts: [one], key, addSpecialTokens }).ids,
    encodeBatch: async (texts, addSpecialTokens) => {
      const { ids, lengths } = await thread.ask({ texts, key, addSpecialTokens });
      let end = 0;
      return Array.from(lengths, (length) => {
        end += length;
        return ids.slice(end - length, end);
      });
    },
  };
}
