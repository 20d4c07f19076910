import {
  type ChatMessage,
  type DemonstrationRow,
  MetaapoError,
  messageText,
  type TokenizedDemonstration,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { EOS, mergingTokenizer } from '../../test/merging-tokenizer.js';
import { type DemonstrationOptions, tokenizeDemonstration } from './tokenize-demonstration.js';
import { tokenizeDemonstrations } from './tokenize-demonstrations.js';

const origin = { file: 'chats.jsonl', row: 17 };
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const chat = (messages: readonly ChatMessage[], prompt: readonly ChatMessage[] = []): DemonstrationRow => ({
  ...origin,
  form: 'messages',
  prompt,
  messages,
});
const ids = (prompt: number[], response: number[]): DemonstrationRow => ({
  ...origin,
  form: 'tokens',
  prompt: Int32Array.from(prompt),
  response: Int32Array.from(response),
});
const talk = [user('q'), assistant('a'), user('r'), assistant('b')];

function turnsOf(row: DemonstrationRow, tokenizer?: Tokenizer, options?: DemonstrationOptions): TokenizedDemonstration {
  const result = tokenizeDemonstration(row, tokenizer, options);
  if ('dropped' in result) throw new Error(`dropped: ${result.dropped}`);
  return result.demonstration;
}

/** Turns as text, prompt and response. */
function texts(row: DemonstrationRow, tokenizer: Tokenizer, options?: DemonstrationOptions): readonly string[][] {
  return turnsOf(row, tokenizer, options).turns.map(({ prompt, response }) =>
    [prompt, response].map((part) => tokenizer.decode(part)),
  );
}

describe('a conversation', () => {
  const tokenizer = mergingTokenizer();
  const first = ['<|user|>q<|end|>\n<|assistant|>', 'a<|end|>\n'];
  const second = ['<|user|>q<|end|>\n<|assistant|>a<|end|>\n<|user|>r<|end|>\n<|assistant|>', 'b<|end|>\n'];

  it('gives a turn for every message of the assistant, with all before it as prompt', () => {
    expect(texts(chat(talk), tokenizer)).toEqual([first, second]);
    expect(texts(chat(talk), tokenizer, { turns: 'last' })).toEqual([second]);
  });

  it('trains nothing of a given prompt', () => {
    expect(texts(chat(talk.slice(3), talk.slice(0, 3)), tokenizer)).toEqual([second]);
    expect(texts(chat(talk.slice(1), talk.slice(0, 1)), tokenizer)).toEqual([first, second]);
  });

  it('renders each turn as it was when it was the last', () => {
    const forgetful = mergingTokenizer({
      template: (messages, more) =>
        messages
          .map((message, index) => {
            const [isPast, content] = [index < messages.length - 1 || more, messageText(message)];
            return `<|${message.role}|>${isPast ? content.replace(/t:\w+ /, '') : content}<|end|>`;
          })
          .join('') + (more ? '<|assistant|>' : ''),
    });
    expect(texts(chat([user('q'), assistant('t:x a'), user('r'), assistant('t:y b')]), forgetful)).toEqual([
      ['<|user|>q<|end|><|assistant|>', 't:x a<|end|>'],
      ['<|user|>q<|end|><|assistant|>a<|end|><|user|>r<|end|><|assistant|>', 't:y b<|end|>'],
    ]);
  });

  it('is refused where it begins with a response, or a response to train is blank', () => {
    expect(() => texts(chat([assistant('hello'), ...talk]), tokenizer)).toThrow(
      /row 17 .*begins with a response.*turns: last/,
    );
    expect(texts(chat([assistant('hello'), ...talk]), tokenizer, { turns: 'last' })).toHaveLength(1);
    const blank = chat([user('q'), assistant(' '), user('r'), assistant('b')]);
    expect(() => texts(blank, tokenizer)).toThrow(/row 17 .*message 1 .*is an empty response/);
    expect(texts(blank, tokenizer, { turns: 'last' })).toHaveLength(1);
  });

  it('is refused with the roles when the template refuses them', () => {
    const template = (): string => {
      throw new MetaapoError('data', 'roles must alternate', { where: 'chat template' });
    };
    expect(() => texts(chat(talk), mergingTokenizer({ template }))).toThrow(
      /row 17 .*got user \(.*roles must alternate/,
    );
  });
});

it('ends text with the end-of-sequence token and uses ids as they are', () => {
  const tokenizer = mergingTokenizer({ merges: [[':', ' ']] });
  const text: DemonstrationRow = { ...origin, form: 'text', prompt: 'Q:', response: ' yes' };
  expect(texts(text, tokenizer)).toEqual([['<s>Q', ': yes</s>']]);
  expect(turnsOf(ids([5, 6], [7]))).toEqual({
    row: 17,
    turns: [{ prompt: Int32Array.of(5, 6), response: Int32Array.of(7) }],
  });
  expect(() => turnsOf(ids([5], [600]), undefined, { vocabularySize: 512 })).toThrow(/row 17 .*outside the vocabulary/);
});

describe('limits', () => {
  const tokenizer = mergingTokenizer();
  const [first, second] = turnsOf(chat(talk), tokenizer).turns.map(({ prompt, response }) => ({
    prompt: prompt.length,
    all: prompt.length + response.length,
  }));

  it('cut the end of a conversation, whole turns included', () => {
    const cut = (maxLength: number) => tokenizeDemonstration(chat(talk), tokenizer, { maxLength });
    expect(cut(second!.all)).toMatchObject({ truncated: 0, beyond: 0 });
    expect(cut(second!.all - 1)).toMatchObject({ truncated: 1, beyond: 0 });
    expect(cut(second!.prompt)).toMatchObject({ truncated: 0, beyond: 1, demonstration: { turns: [{}] } });
    expect(cut(first!.all - 1)).toMatchObject({ truncated: 1, beyond: 1 });
    expect(() => cut(first!.prompt)).toThrow(/row 17 .*prompt is longer than the limit.*longPrompt: drop/);
  });

  it('leave a conversation out as a whole when asked', () => {
    const drop = (maxLength: number, options: DemonstrationOptions = {}) =>
      tokenizeDemonstration(chat(talk), tokenizer, { maxLength, truncate: 'drop', ...options });
    expect(drop(second!.all)).toMatchObject({ beyond: 0 });
    expect(drop(second!.all - 1)).toEqual({ dropped: 'response too long' });
    expect(drop(second!.prompt)).toEqual({ dropped: 'prompt too long' });
    expect(() => drop(second!.prompt, { longPrompt: 'error' })).toThrow(/prompt is longer/);
    const short = { maxLength: first!.prompt, longPrompt: 'drop' } as const;
    expect(tokenizeDemonstration(chat(talk), tokenizer, short)).toEqual({ dropped: 'prompt too long' });
  });
});

describe('a data set', () => {
  it('is numbered before any row is dropped, and what happened is counted', async () => {
    const rows = [ids([5, 6], [7, EOS]), ids([5, 5, 5, 5, 5], [7]), ids([5], [7, 7, 7, 7, EOS]), ids([5], [8, EOS])];
    const { rows: kept, report } = await tokenizeDemonstrations(rows, mergingTokenizer(), {
      maxLength: 5,
      longPrompt: 'drop',
    });
    expect(kept.map(({ row }) => row)).toEqual([0, 2, 3]);
    expect(report).toMatchObject({
      rows: 4,
      kept: 3,
      responses: 3,
      responsesBeyond: 0,
      truncatedResponses: 1,
      rowsWithoutEnd: 1,
      dropped: { 'prompt too long': 1, 'response too long': 0 },
      response: { min: 2, mean: 8 / 3, max: 4 },
    });
    expect(report.summary).toBe(
      '3 of 4 rows kept; 1 dropped (prompt too long); 1 responses cut; 1 rows with a response that has no end token; ' +
        '3 responses to train; tokens min/mean/max: prompt 1/1.3/2, response 2/2.7/4, sequence 3/4.0/5; ' +
        'longest is row 17 of chats.jsonl with 5 tokens',
    );
  });

  it('counts every turn, and those beyond the limit', async () => {
    const tokenizer = mergingTokenizer();
    const whole = await tokenizeDemonstrations([chat(talk)], tokenizer);
    expect(whole.report).toMatchObject({ kept: 1, responses: 2, prompt: { min: 5 }, longest: [{ row: 17 }] });
    const { report } = await tokenizeDemonstrations([chat(talk)], tokenizer, { maxLength: 8 });
    expect(report).toMatchObject({ kept: 1, responses: 1, responsesBeyond: 1 });
    expect(report.summary).toContain('1 responses left out beyond the limit');
  });

  it('of which no row is left is refused', async () => {
    const rows = [ids([5], [6, 6])];
    await expect(tokenizeDemonstrations(rows, undefined, { maxLength: 2, truncate: 'drop' })).rejects.toThrow(
      /no row is left.*0 of 1 rows kept; 1 dropped \(response too long\)/,
    );
    await expect(tokenizeDemonstrations([], undefined)).rejects.toThrow(/Give files that hold rows/);
  });
});
