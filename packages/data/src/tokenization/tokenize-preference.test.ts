import {
  type ChatMessage,
  MetaapoError,
  type PreferenceRow,
  type TokenizedPreference,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { BOS, END, EOS, marked, mergingTokenizer, script } from '../../test/merging-tokenizer.js';
import { type TokenizationOptions, tokenizePreference } from './tokenize-preference.js';

const origin = { file: 'pairs.jsonl', row: 17 };
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const text = (prompt: string, chosen: string, rejected: string): PreferenceRow => ({
  ...origin,
  form: 'text',
  prompt,
  chosen,
  rejected,
});
const chat = (prompt: ChatMessage[], chosen: string, rejected: string): PreferenceRow => ({
  ...origin,
  form: 'messages',
  prompt,
  chosen: [assistant(chosen)],
  rejected: [assistant(rejected)],
});
const tokens = (
  prompt: number[],
  chosen: number[],
  rejected: number[],
  online: [number[], number[]] | [] = [],
): PreferenceRow => ({
  ...origin,
  form: 'tokens',
  prompt: Int32Array.from(prompt),
  chosen: Int32Array.from(chosen),
  rejected: Int32Array.from(rejected),
  ...(online[0] &&
    online[1] && { online: [{ chosen: Int32Array.from(online[0]), rejected: Int32Array.from(online[1]) }] }),
});

function kept(
  row: PreferenceRow,
  tokenizer: Tokenizer | undefined,
  options?: TokenizationOptions,
): TokenizedPreference {
  const result = tokenizePreference(row, tokenizer, options);
  if ('dropped' in result) throw new Error(`dropped: ${result.dropped}`);
  return result.preference;
}

/** The whole sequences that a preference stands for. */
const wholes = ({ prompt, chosen, rejected }: TokenizedPreference) =>
  [chosen, rejected].map((response) => Int32Array.of(...prompt, ...response));

describe('conversations', () => {
  it('end exactly as the chat template ends them', () => {
    const tokenizer = mergingTokenizer();
    const { prompt, chosen } = kept(chat([user('q'), assistant('a'), user('r')], 'yes', 'no'), tokenizer);
    expect(tokenizer.decode(prompt)).toBe('<|user|>q<|end|>\n<|assistant|>a<|end|>\n<|user|>r<|end|>\n<|assistant|>');
    expect(tokenizer.decode(chosen)).toBe('yes<|end|>\n');
    expect(chosen.at(-2)).toBe(END);
    expect(chosen.includes(EOS)).toBe(false);
  });

  it('end at the end of the turn where they are to, whatever blanks the template writes behind it', () => {
    const tokenizer = mergingTokenizer();
    const row = chat([user('q'), assistant('a'), user('r')], 'yes', 'no');
    const ended = kept(row, tokenizer, { responseEnd: 'end-of-turn', endTokenIds: [END] });
    expect(tokenizer.decode(ended.prompt)).toBe(
      '<|user|>q<|end|>\n<|assistant|>a<|end|>\n<|user|>r<|end|>\n<|assistant|>',
    );
    expect(tokenizer.decode(ended.chosen)).toBe('yes<|end|>');
    expect(tokenizer.decode(ended.rejected)).toBe('no<|end|>');
    expect(ended.ending).toBeUndefined();
  });

  it('tell what the template writes behind the end of a turn where they keep it', () => {
    const tokenizer = mergingTokenizer();
    const { chosen, ending } = kept(chat([user('q')], 'yes', 'no'), tokenizer, { endTokenIds: [END] });
    expect(tokenizer.decode(chosen)).toBe('yes<|end|>\n');
    expect(tokenizer.decode(ending!)).toBe('\n');
  });

  it.each(['end-of-turn', 'template-end'] as const)(
    'end as the template ends them where a text follows the end token, or none is there: %s',
    (responseEnd) => {
      const template = (messages: readonly ChatMessage[], more: boolean) =>
        `${marked(messages, more)}${more ? '' : 'bye'}`;
      const options = { responseEnd, endTokenIds: [END] };
      const signed = kept(chat([user('q')], 'yes', 'no'), mergingTokenizer({ template }), options);
      expect(mergingTokenizer().decode(signed.chosen)).toBe('yes<|end|>\nbye');
      const other = kept(chat([user('q')], 'yes', 'no'), mergingTokenizer(), { responseEnd });
      expect(mergingTokenizer().decode(other.chosen)).toBe('yes<|end|>\n');
      expect(other.ending).toBeUndefined();
    },
  );

  it('give the merged token to both responses when only one merges across the boundary', () => {
    const tokenizer = mergingTokenizer({
      template: (messages, more) => script(messages, more).replace(': !', ':!'),
      merges: [[':', '!']],
    });
    const row = chat([user('q')], '!yes', 'no');
    const preference = kept(row, tokenizer);
    expect(tokenizer.decode(preference.prompt)).toBe('user: q\nassistant');
    expect(tokenizer.decode(preference.chosen)).toBe(':!yes</s>\n');
    expect(tokenizer.decode(preference.rejected)).toBe(': no</s>\n');
    expect(wholes(preference)).toEqual([
      tokenizer.encode('user: q\nassistant:!yes</s>\n'),
      tokenizer.encode('user: q\nassistant: no</s>\n'),
    ]);
  });

  it('are refused when the template rewrites the history', () => {
    const template = (messages: readonly ChatMessage[], more: boolean) =>
      `${messages.length} turns: ${marked(messages, more)}`;
    expect(() => kept(chat([user('q')], 'a', 'b'), mergingTokenizer({ template }))).toThrow(
      /row 17 .*renders the history in another way/,
    );
  });

  it('begin where the answer differs from what the template opens it with', () => {
    const template = (messages: readonly ChatMessage[], more: boolean) => marked(messages, more) + (more ? '<t>' : '');
    const tokenizer = mergingTokenizer({ template });
    const opened = kept(chat([user('q')], '<t>ok</t>yes', 'no'), tokenizer);
    expect(tokenizer.decode(opened.prompt)).toBe('<|user|>q<|end|>\n<|assistant|>');
    expect(tokenizer.decode(opened.opening!)).toBe('<t>');
    expect(tokenizer.decode(opened.chosen)).toBe('<t>ok</t>yes<|end|>\n');
    expect(tokenizer.decode(opened.rejected)).toBe('no<|end|>\n');
    expect(kept(chat([user('q')], '<t>ok</t>yes', '<t>no'), tokenizer).opening).toBeUndefined();
    const both = kept(chat([user('q')], '<t>ok</t>yes', '<t>no'), tokenizer);
    expect(tokenizer.decode(both.prompt)).toBe('<|user|>q<|end|>\n<|assistant|><t>');
  });

  it('are refused with the roles when the template refuses them', () => {
    const template = (): string => {
      throw new MetaapoError('data', 'roles must alternate', { where: 'chat template' });
    };
    expect(() => kept(chat([user('q')], 'a', 'b'), mergingTokenizer({ template }))).toThrow(
      /row 17 .*got user \(.*roles must alternate/,
    );
  });

  it('need a chat template', () => {
    expect(() => kept(chat([user('q')], 'a', 'b'), mergingTokenizer({ template: undefined }))).toThrow(
      /need a chat template/,
    );
  });
});

describe('plain text', () => {
  it('is refused unread where it is longer than any model reads', () => {
    const unread: Tokenizer = { ...mergingTokenizer(), encode: () => expect.unreachable() };
    expect(() => tokenizePreference(text('a', 'b'.repeat(2 ** 21), 'c'), unread)).toThrow(
      /row 17 .*a text is too long to be tokenised.*2097153 characters/s,
    );
  });

  it('begins with the special tokens and ends with the end-of-sequence token', () => {
    const tokenizer = mergingTokenizer();
    const { prompt, chosen, rejected } = kept(text('Q:', ' yes', ' no'), tokenizer);
    expect(prompt[0]).toBe(BOS);
    expect(tokenizer.decode(chosen)).toBe(' yes</s>');
    expect(tokenizer.decode(rejected)).toBe(' no</s>');
  });

  it('keeps one end-of-sequence token where the response has its own', () => {
    const { chosen } = kept(text('Q:', 'a</s>', 'b'), mergingTokenizer());
    expect(Array.from(chosen).filter((id) => id === EOS)).toHaveLength(1);
  });

  it('tokenises the whole text where a merge spans the boundary', () => {
    const tokenizer = mergingTokenizer({
      merges: [
        [':', ' '],
        [': ', 'y'],
      ],
    });
    const preference = kept(text('Q:', ' yes', ' no'), tokenizer);
    expect(tokenizer.decode(preference.prompt)).toBe('<s>Q');
    const encode = (whole: string) => tokenizer.encode(`${whole}</s>`, { addSpecialTokens: true });
    expect(wholes(preference)).toEqual([encode('Q: yes'), encode('Q: no')]);
  });

  it('is refused when it brings a second BOS', () => {
    expect(() => kept(text('<s>Q:', 'a', 'b'), mergingTokenizer())).toThrow(/row 17 .*two BOS tokens/);
  });

  it('needs an end-of-sequence token', () => {
    expect(() => kept(text('Q:', 'a', 'b'), mergingTokenizer({ eosTokenId: undefined }))).toThrow(
      /names no end-of-sequence token/,
    );
  });

  it('needs a tokenizer', () => {
    expect(() => kept(text('Q:', 'a', 'b'), undefined)).toThrow(/needs a tokenizer/);
  });
});

describe('token ids', () => {
  it('are used as they are, with their online pair', () => {
    const row = tokens([5, 6], [7], [8, 9], [[10], [11]]);
    expect(kept(row, undefined)).toEqual({
      row: 17,
      prompt: Int32Array.of(5, 6),
      chosen: Int32Array.of(7),
      rejected: Int32Array.of(8, 9),
      online: [{ chosen: Int32Array.of(10), rejected: Int32Array.of(11) }],
    });
  });

  it('outside the vocabulary are refused', () => {
    expect(() => kept(tokens([5], [512], [7]), undefined, { vocabularySize: 512 })).toThrow(
      /row 17 .*ids from 0 to 511; got 512/,
    );
    expect(() => kept(tokens([5], [6], [7], [[1], [9999]]), mergingTokenizer())).toThrow(/outside the vocabulary/);
  });

  it('may not begin with two BOS tokens', () => {
    expect(() => kept(tokens([BOS, BOS, 5], [6], [7]), mergingTokenizer())).toThrow(/two BOS tokens/);
  });
});

describe('limits', () => {
  const row = tokens([1, 2, 3], [4, 5, 6], [7], [[8, 9, 10, 11], [12]]);

  it('cut the tail of every longer response and count them', () => {
    const result = tokenizePreference(row, undefined, { maxLength: 5 });
    expect(result).toMatchObject({
      truncated: 2,
      preference: {
        chosen: Int32Array.of(4, 5),
        rejected: Int32Array.of(7),
        online: [{ chosen: Int32Array.of(8, 9), rejected: Int32Array.of(12) }],
      },
    });
  });

  it('end what they cut where that is wanted, and nothing else', () => {
    const ended = { maxLength: 5, truncate: 'ended-tail', endTokenId: 99 } as const;
    expect(tokenizePreference(row, undefined, ended)).toMatchObject({
      truncated: 2,
      preference: {
        chosen: Int32Array.of(4, 99),
        rejected: Int32Array.of(7),
        online: [{ chosen: Int32Array.of(8, 99), rejected: Int32Array.of(12) }],
      },
    });
    expect(() => tokenizePreference(row, undefined, { maxLength: 5, truncate: 'ended-tail' })).toThrow(
      /end-of-sequence token, and none is known.*truncate: response-tail/,
    );
  });

  it('leave a row of the longest length whole', () => {
    expect(tokenizePreference(row, undefined, { maxLength: 7, truncate: 'drop' })).toMatchObject({ truncated: 0 });
  });

  it('drop longer rows when asked', () => {
    expect(tokenizePreference(row, undefined, { maxLength: 6, truncate: 'drop' })).toEqual({
      dropped: 'response too long',
    });
    expect(tokenizePreference(row, undefined, { maxLength: 3, truncate: 'drop' })).toEqual({
      dropped: 'prompt too long',
    });
    expect(tokenizePreference(row, undefined, { maxPromptLength: 2, longPrompt: 'drop' })).toEqual({
      dropped: 'prompt too long',
    });
  });

  it('refuse a prompt without room for a response', () => {
    expect(() => tokenizePreference(row, undefined, { maxLength: 3 })).toThrow(
      /row 17 .*prompt is longer than the limit\. Expected at most 2 tokens \(maxLength is 3.*got 3 tokens.*longPrompt: drop/,
    );
    expect(() => tokenizePreference(row, undefined, { maxPromptLength: 2 })).toThrow(
      /at most 2 tokens \(maxPromptLength is 2/,
    );
    expect(() => tokenizePreference(row, undefined, { maxLength: 3, truncate: 'drop', longPrompt: 'error' })).toThrow(
      /prompt is longer/,
    );
  });
});
