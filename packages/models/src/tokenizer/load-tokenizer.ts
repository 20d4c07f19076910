import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';
import { Tokenizer as PortableTokenizer } from '@huggingface/tokenizers';
import { type ChatMessage, MetaapoError, type Tokenizer } from '@metaapo/core/contracts';
import { inexactPatterns } from './inexact-patterns.js';
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.js';

/** A tokenizer with what its user should know. */
export interface LoadedTokenizer extends Tokenizer {
  /** Sentences to print: where ids may differ from those of the original implementation. */
  readonly warnings: readonly string[];
}

/**
 * Loads the tokenizer and the chat template of a Hugging Face directory.
 * @throws MetaapoError with code `checkpoint` when tokenizer.json is missing or damaged
 */
export async function loadTokenizer(directory: string): Promise<LoadedTokenizer> {
  const files = await readTokenizerFiles(directory);
  const tokenizer = createPortable(files);
  const special = specialTokens(files.config);
  const idOf = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : tokenizer.token_to_id(token);
  const ids = [...tokenizer.get_vocab(true).values(), ...tokenizer.get_added_tokens_decoder().keys()];
  const render = createRenderer(files, special);
  return {
    fingerprint: createHash('sha256')
      .update(JSON.stringify([files.text, files.chatTemplate, special]))
      .digest('hex'),
    vocabularySize: ids.reduce((largest, id) => Math.max(largest, id), -1) + 1,
    bosTokenId: idOf(special.bos_token),
    eosTokenId: idOf(special.eos_token),
    padTokenId: idOf(special.pad_token),
    hasChatTemplate: files.chatTemplate !== undefined,
    warnings: inexactPatterns(files.text).map(
      (pattern) => `${directory}: ${pattern} in tokenizer.json may give other ids than Python does on rare characters`,
    ),
    encode: (text, options) =>
      Int32Array.from(tokenizer.encode(text, { add_special_tokens: options?.addSpecialTokens ?? false }).ids),
    decode: (tokens, options) =>
      tokens.length === 0
        ? ''
        : tokenizer.decode(Array.from(tokens), { skip_special_tokens: options?.keepSpecialTokens !== true }),
    renderChat: (messages, options) => render(messages, options?.addGenerationPrompt ?? false),
  };
}

function createPortable({ tokenizer, config, directory }: TokenizerFiles): PortableTokenizer {
  try {
    return new PortableTokenizer(tokenizer, config);
  } catch (cause) {
    throw new MetaapoError('checkpoint', `tokenizer.json is not supported: ${(cause as Error).message}`, {
      where: directory,
      cause,
      remedy: 'Use a byte-level BPE, byte-fallback BPE or Unigram tokenizer',
    });
  }
}

type SpecialTokens = Readonly<Record<'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', string | undefined>>;

/** Special tokens, each stated as a text or as an object with `content`. */
function specialTokens(config: TokenizerFiles['config']): SpecialTokens {
  const read = (name: keyof SpecialTokens): string | undefined => {
    const stated = config[name] as string | { readonly content?: string } | null | undefined;
    return typeof stated === 'string' ? stated : stated?.content;
  };
  return {
    bos_token: read('bos_token'),
    eos_token: read('eos_token'),
    pad_token: read('pad_token'),
    unk_token: read('unk_token'),
  };
}

type Render = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string;

function createRenderer({ chatTemplate, directory }: TokenizerFiles, special: SpecialTokens): Render {
  if (chatTemplate === undefined) {
    return () => {
      throw new MetaapoError('config', 'the tokenizer has no chat template', {
        where: directory,
        remedy: 'Use rows of plain text, or add chat_template.jinja to the directory',
      });
    };
  }
  let template: Template;
  try {
    template = new Template(chatTemplate);
  } catch (cause) {
    throw new MetaapoError('checkpoint', 'the chat template cannot be read', {
      where: directory,
      got: (cause as Error).message,
      cause,
    });
  }
  return (messages, addGenerationPrompt) => {
    try {
      return template.render({ ...special, messages, add_generation_prompt: addGenerationPrompt });
    } catch (cause) {
      throw new MetaapoError('data', `the chat template refuses the messages: ${(cause as Error).message}`, {
        where: directory,
        got: `roles ${messages.map(({ role }) => role).join(', ')}`,
        cause,
        remedy: 'Bring the conversation into the form that the template expects',
      });
    }
  };
}
