import { type ChatMessage, messageText, type Tokenizer } from '@metaapo/core/contracts';

/** How a conversation reads, and which characters grow together. */
export interface MergingTokenizerOptions {
  /** Pairs of pieces that become one token, the first ones first, as byte-pair encoding has them. */
  readonly merges?: readonly (readonly [string, string])[];
  /** Text of a conversation; `undefined` for a tokenizer without a chat template. */
  readonly template?: ((messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string) | undefined;
  readonly eosTokenId?: number | undefined;
}

const SPECIAL = ['<s>', '</s>', '<|user|>', '<|assistant|>', '<|end|>'];
const LETTERS = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

export const BOS = 0;
export const EOS = 1;
export const END = 4;

/** Turns between marks; each ends with `<|end|>` and a line feed. */
export function marked(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
  const turns = messages.map((message) => `<|${message.role}|>${messageText(message)}<|end|>\n`);
  return turns.join('') + (addGenerationPrompt ? '<|assistant|>' : '');
}

/** Turns as a plain script without marks, so that tokens may span them: `user: q\nassistant: a</s>`. */
export function script(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
  const turns = messages.map(
    (message) => `${message.role}: ${messageText(message)}${message.role === 'assistant' ? '</s>' : ''}\n`,
  );
  return turns.join('') + (addGenerationPrompt ? 'assistant:' : '');
}

/** A byte-pair tokenizer of ASCII text with a few special tokens. */
export function mergingTokenizer(options: MergingTokenizerOptions = {}): Tokenizer {
  const { merges = [], template, eosTokenId } = { template: marked, eosTokenId: EOS, ...options };
  const pieces = [...SPECIAL, ...LETTERS, ...merges.map(([left, right]) => left + right)];
  const encode = (text: string): number[] =>
    text
      .split(/(<s>|<\/s>|<\|\w+\|>)/)
      .flatMap((part) => (SPECIAL.includes(part) ? [pieces.indexOf(part)] : merged(part)));
  const merged = (text: string): number[] => {
    let parts = [...text];
    for (const [left, right] of merges) parts = joined(parts, left, right);
    return parts.map((part) => pieces.lastIndexOf(part));
  };
  return {
    fingerprint: 'merging',
    vocabularySize: pieces.length,
    bosTokenId: BOS,
    eosTokenId,
    padTokenId: undefined,
    hasChatTemplate: template !== undefined,
    encode: (text, { addSpecialTokens = false } = {}) =>
      Int32Array.from([...(addSpecialTokens ? [BOS] : []), ...encode(text)]),
    decode: (ids) => Array.from(ids, (id) => pieces[id]).join(''),
    renderChat: (messages, { addGenerationPrompt = false } = {}) => template?.(messages, addGenerationPrompt) ?? '',
  };
}

function joined(parts: readonly string[], left: string, right: string): string[] {
  const result: string[] = [];
  for (const part of parts) {
    if (part === right && result.at(-1) === left) result[result.length - 1] = left + right;
    else result.push(part);
  }
  return result;
}
