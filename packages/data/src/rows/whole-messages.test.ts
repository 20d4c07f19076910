import { type ChatMessage, messageText, type PreferenceRow, type Tokenizer } from '@metaapo/core/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergingTokenizer } from '../../test/merging-tokenizer.js';
import { tokenizeDemonstration } from '../tokenization/tokenize-demonstration.js';
import { tokenizePreference } from '../tokenization/tokenize-preference.js';
import { parseDemonstration } from './read-demonstrations.js';
import { parsePreference } from './read-preferences.js';

const ask = { role: 'user', content: 'Tide?' };
const call = {
  role: 'assistant',
  content: null,
  tool_calls: [{ function: { name: 'tide', arguments: { port: 'B' } } }],
};
const found = { role: 'tool', name: 'tide', content: '06:12' };
const tools = [{ type: 'function', function: { name: 'tide' } }];
const origin = { file: 'rows.jsonl', row: 3 };
const row = (values: Record<string, unknown>) => ({ ...origin, values });

/** A tokenizer that writes everything that it is given, and nothing else. */
const writingAll = (): Tokenizer => {
  const template = (messages: readonly ChatMessage[], more: boolean) =>
    messages.map((message) => `${JSON.stringify(message)}\n`).join('') + (more ? '' : '');
  const tokenizer = mergingTokenizer({ template });
  return {
    ...tokenizer,
    renderChat: (messages, { tools: given, templateArguments, ...options } = {}) =>
      JSON.stringify([given, templateArguments]) + tokenizer.renderChat(messages, options),
  };
};

const textOf = (preference: PreferenceRow) => {
  const tokenizer = writingAll();
  const result = tokenizePreference(preference, tokenizer);
  if ('dropped' in result) throw new Error(result.dropped);
  return tokenizer.decode(result.preference.prompt) + tokenizer.decode(result.preference.chosen);
};

describe('messages keep every key that they have', () => {
  it('tool calls, names, content without a text, tools and arguments reach the template', () => {
    const preference = parsePreference(
      row({
        tools: JSON.stringify(tools),
        chat_template_kwargs: { enable_thinking: false },
        prompt: [ask, call, found],
        chosen: [{ role: 'assistant', content: 'At 06:12.' }],
        rejected: [{ role: 'assistant', content: 'No idea.' }],
      }),
    );
    const { content: _, ...withoutNothing } = call;
    expect(textOf(preference)).toBe(
      `${JSON.stringify([tools, { enable_thinking: false }])}${[ask, withoutNothing, found, { role: 'assistant', content: 'At 06:12.' }].map((message) => `${JSON.stringify(message)}\n`).join('')}`,
    );
  });

  it('a row’s arguments lie over those of all rows', () => {
    const values = { prompt: [ask], chosen: 'a', rejected: 'b', chat_template_kwargs: { day: 'today' } };
    expect(parsePreference(row(values), { templateArguments: { day: 'any', enable_thinking: true } })).toMatchObject({
      chat: { templateArguments: { day: 'today', enable_thinking: true } },
    });
  });

  it('any other key is carried, and answers that differ in it are not the same', () => {
    const key = fc
      .stringMatching(/^[a-z_]{3,9}$/)
      .filter((name) => !['role', 'content', 'weight', 'train', 'name'].includes(name));
    const value = fc.oneof(fc.string({ unit: fc.constantFrom(...'abc xyz.') }), fc.integer(), fc.boolean());
    fc.assert(
      fc.property(key, value, (name, stated) => {
        const answer = { role: 'assistant', content: 'a', [name]: stated };
        const preference = parsePreference(
          row({ prompt: [ask], chosen: [answer], rejected: [{ ...answer, content: 'b' }] }),
        );
        expect(textOf(preference)).toContain(JSON.stringify(answer));
        const alike = parsePreference(
          row({ prompt: [ask], chosen: [answer], rejected: [{ role: 'assistant', content: 'a' }] }),
        );
        expect(() => tokenizePreference(alike, mergingTokenizer())).toThrow(/renders both answers alike/);
      }),
    );
  });

  it('an answer that only calls a tool is no empty one', () => {
    const preference = parsePreference(
      row({ prompt: [ask], chosen: [call], rejected: [{ role: 'assistant', content: 'No.' }] }),
    );
    expect(textOf(preference)).toContain('"tool_calls"');
    const nothing = { role: 'assistant', content: null };
    expect(() => parsePreference(row({ prompt: [ask], chosen: [nothing], rejected: [call] }))).toThrow(/no content/);
  });

  it('contents of parts are text where they are asked for it', () => {
    const parts = [{ type: 'text', text: 'What is' }, { type: 'image' }, { type: 'text', text: ' this?' }];
    const preference = parsePreference(row({ prompt: [{ role: 'user', content: parts }], chosen: 'a', rejected: 'b' }));
    expect(preference.form === 'messages' && messageText(preference.prompt[0]!)).toBe('What is this?');
  });

  it('conversations that differ in a key alone part there', () => {
    const chosen = [ask, call, found, { role: 'assistant', content: 'a' }];
    const rejected = [ask, { ...call, tool_calls: [] }, found, { role: 'assistant', content: 'b' }];
    expect(parsePreference(row({ chosen, rejected })).prompt).toEqual([ask]);
  });

  it('columns for the template are refused in rows that none renders', () => {
    expect(() => parsePreference(row({ prompt: 'Q', chosen: 'a', rejected: 'b', tools }))).toThrow(
      /`tools` needs messages/,
    );
    expect(() => parsePreference(row({ prompt: [ask], chosen: 'a', rejected: 'b', tools: 'none' }))).toThrow(
      /`tools` has the wrong type/,
    );
  });
});

describe('messages of a demonstration say whether they are learnt', () => {
  const talk = (...answers: object[]) =>
    parseDemonstration(
      row({ messages: answers.flatMap((answer) => [ask, { role: 'assistant', content: 'a', ...answer }]) }),
    );
  const turns = (...answers: object[]) => {
    const result = tokenizeDemonstration(talk(...answers), mergingTokenizer());
    return 'dropped' in result ? result : result.demonstration.turns.length;
  };

  it('by weight 1 or 0, or by train', () => {
    expect(turns({ weight: 0 }, { weight: 1 }, {})).toBe(2);
    expect(turns({ train: false }, { train: true }, { weight: null })).toBe(2);
  });

  it('and are refused where they say something else, or none is left', () => {
    expect(() => turns({ weight: 0.5 })).toThrow(/weight of a message is not supported/);
    expect(() => turns({ train: 'yes' })).toThrow(/`train` of a message is not supported/);
    expect(() => turns({ weight: 0 })).toThrow(/no message of the conversation is to be learnt/);
  });
});
