import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isMetaapoError, MetaapoError, type Tokenizer } from '@metaapo/core/contracts';
import { chatRenderer } from './chat-renderer.js';
import { tokenDecoder } from './decode-tokens.js';
import { type EncodingEngine, openEngine } from './encoding-engine.js';
import { type AddedToken, addedTokens, namedTokens } from './special-tokens.js';
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.js';
import { requireTokenizerSettings } from './tokenizer-settings.js';
import { requireTokenizerShape } from './tokenizer-shape.js';

/** A tokenizer with what computes it. */
export interface LoadedTokenizer extends Tokenizer {
  /** What turns text into ids: the native library where it is installed, else plain JavaScript; the ids are the same. */
  readonly engine: EncodingEngine['name'];
  /** What a user should know of how texts are encoded: one sentence each. */
  readonly warnings: readonly string[];
  encodeBatch: NonNullable<Tokenizer['encodeBatch']>;
  /** Number of ids without those of added tokens, which texts need not have: a pad token and the like. */
  readonly plainVocabularySize: number;
}

/** How a tokenizer is opened. */
export interface TokenizerOptions {
  /** Takes that engine and no other; default: the native one where it is installed. */
  readonly engine?: EncodingEngine['name'] | undefined;
  /** The time that `strftime_now` writes in every rendering; default: the day of loading at midnight. */
  readonly templateDate?: Date | undefined;
}

/**
 * Loads the tokenizer and the chat template of a Hugging Face directory.
 * @throws MetaapoError with code `checkpoint` when tokenizer.json is missing, damaged, or of a kind that cannot be
 * computed exactly
 */
export async function loadTokenizer(directory: string, options: TokenizerOptions = {}): Promise<LoadedTokenizer> {
  const files = await readTokenizerFiles(directory);
  const { tokenizer, config } = files;
  requireTokenizerShape(files);
  requireTokenizerSettings(files);
  const vocabulary = vocabularyOf(tokenizer.model as Readonly<Record<string, unknown>>);
  const added = addedTokens(tokenizer, config, vocabulary);
  const engine = await triedEngine({ directory, tokenizer, added }, options);
  const special = namedTokens(config);
  const ids = new Map([...vocabulary, ...added.map(({ content, id }) => [content, id] as const)]);
  const idOf = (token: string | undefined): number | undefined => (token === undefined ? undefined : ids.get(token));
  const chat = chatRenderer(files, special, options);
  return {
    fingerprint: createHash('sha256')
      .update(JSON.stringify([files.text, special, added, chat.key]))
      .digest('hex'),
    vocabularySize: sizeOf(ids.values()),
    plainVocabularySize: sizeOf(vocabulary.values(), new Set(added.map(({ id }) => id))),
    bosTokenId: idOf(special.bos_token),
    eosTokenId: idOf(special.eos_token),
    padTokenId: idOf(special.pad_token),
    hasChatTemplate: files.chatTemplates.default !== undefined,
    engine: engine.name,
    warnings: engine.name === 'embedded' && options.engine === undefined ? [EMBEDDED] : [],
    encode: (text, { addSpecialTokens = false } = {}) => engine.encode(text, addSpecialTokens),
    encodeBatch: (texts, { addSpecialTokens = false } = {}) => engine.encodeBatch(texts, addSpecialTokens),
    decode: createDecoder(files, vocabulary, added),
    renderChat: chat.render,
  };
}

const EMBEDDED =
  'the native library tokenizers is not used: texts are encoded in JavaScript, which takes several times as long. ' +
  'npm install tokenizers brings it';

/** An engine that has encoded something: some faults of tokenizer.json show only then. */
async function triedEngine(
  source: Parameters<typeof openEngine>[0],
  options: TokenizerOptions,
): Promise<EncodingEngine> {
  try {
    const engine = await openEngine(source, options.engine);
    engine.encode('a text', true);
    return engine;
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    throw new MetaapoError('checkpoint', 'it describes no tokenizer that can be used', {
      where: join(source.directory, 'tokenizer.json'),
      got: (cause instanceof Error ? cause.message : String(cause)).slice(0, 300),
      cause,
      remedy: 'Download it again, or save it with Python: AutoTokenizer.from_pretrained(...).save_pretrained(...)',
    });
  }
}

/** One more than the largest of some ids, others left out. */
function sizeOf(ids: Iterable<number>, without: ReadonlySet<number> = new Set()): number {
  let largest = -1;
  for (const id of ids) if (id > largest && !without.has(id)) largest = id;
  return largest + 1;
}

/** Ids of the model's own tokens: an object of ids, or in Unigram a list of pieces with their scores. */
function vocabularyOf({ vocab }: Readonly<Record<string, unknown>>): ReadonlyMap<string, number> {
  if (Array.isArray(vocab)) return new Map((vocab as [string, number][]).map(([piece], id) => [piece, id]));
  return new Map(Object.entries((vocab ?? {}) as Readonly<Record<string, number>>));
}

function createDecoder(
  { tokenizer, directory }: TokenizerFiles,
  vocabulary: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
): Tokenizer['decode'] {
  const decode = tokenDecoder(tokenizer.decoder);
  if (decode === undefined) {
    throw new MetaapoError('checkpoint', 'the decoder of tokenizer.json is not supported', {
      where: `${directory}/tokenizer.json`,
      expected: 'ByteLevel, ByteFallback, Fuse, Replace of a text, Strip, Metaspace, WordPiece, BPEDecoder, or several',
      got: JSON.stringify(tokenizer.decoder).slice(0, 200),
      remedy: 'Use a model with such a tokenizer',
    });
  }
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of vocabulary) tokens[id] = token;
  for (const { id, content } of added) tokens[id] = content;
  const special = new Set(added.flatMap((token) => (token.special ? [token.content] : [])));
  return (ids, { keepSpecialTokens = false } = {}) => {
    const named = Array.from(ids, (id) => tokens[id]).filter((token) => token !== undefined);
    return named.length === 0 ? '' : decode(keepSpecialTokens ? named : named.filter((token) => !special.has(token)));
  };
}
