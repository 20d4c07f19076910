import type { Tokenizer } from '@metaapo/core/contracts';
import { expect, it } from 'vitest';
import { BOS, EOS, mergingTokenizer } from '../../test/merging-tokenizer.js';
import { tokenizePrompt, tokenizeResponse } from './tokenize-prompt.js';

const origin = { file: 'prompts.jsonl', row: 3 };
const prompt = [{ role: 'user', content: 'q' }];

it('opens the answer after a prompt of messages', () => {
  const tokenizer = mergingTokenizer();
  expect(tokenizer.decode(tokenizePrompt({ ...origin, form: 'messages', prompt }, tokenizer))).toBe(
    '<|user|>q<|end|>\n<|assistant|>',
  );
});

it('begins text with the special tokens and does not end it', () => {
  const plain = mergingTokenizer();
  const ending: Tokenizer = {
    ...plain,
    encode: (text, options) => (options?.addSpecialTokens ? plain.encode(`<s>${text}</s>`) : plain.encode(text)),
  };
  for (const tokenizer of [plain, ending]) {
    expect(tokenizePrompt({ ...origin, form: 'text', prompt: 'Q:' }, tokenizer)).toEqual(
      Int32Array.of(BOS, ...plain.encode('Q:')),
    );
  }
});

it('keeps an end that stands in the text of a prompt', () => {
  const tokenizer = mergingTokenizer();
  const row = { ...origin, form: 'text', prompt: 'Q</s>', response: 'a' } as const;
  expect(tokenizePrompt(row, tokenizer).at(-1)).toBe(EOS);
  expect(tokenizer.decode(tokenizeResponse(row, tokenizer).response)).toBe('a</s>');
});

it('needs no end-of-sequence token for a prompt of text', () => {
  const tokenizer = mergingTokenizer({ eosTokenId: undefined });
  expect(tokenizer.decode(tokenizePrompt({ ...origin, form: 'text', prompt: 'Q:' }, tokenizer))).toBe('<s>Q:');
});

it('takes ids as they are, within the vocabulary', () => {
  const row = { ...origin, form: 'tokens', prompt: Int32Array.of(5, 6) } as const;
  expect(tokenizePrompt(row, undefined)).toEqual(Int32Array.of(5, 6));
  expect(() => tokenizePrompt(row, undefined, 6)).toThrow(/row 3 .*outside the vocabulary/);
});

it('splits a prompt and its response at the boundary of the whole text', () => {
  const tokenizer = mergingTokenizer({ merges: [[':', ' ']] });
  const text = tokenizeResponse({ ...origin, form: 'text', prompt: 'Q:', response: ' yes' }, tokenizer);
  expect([text.prompt, text.response].map((ids) => tokenizer.decode(ids))).toEqual(['<s>Q', ': yes</s>']);
  const response = [{ role: 'assistant', content: 'a' }];
  const chat = tokenizeResponse({ ...origin, form: 'messages', prompt, response }, tokenizer);
  expect(tokenizer.decode(chat.response)).toBe('a<|end|>\n');
  const ids = { prompt: Int32Array.of(5), response: Int32Array.of(6) };
  expect(tokenizeResponse({ ...origin, form: 'tokens', ...ids }, undefined)).toEqual(ids);
});
