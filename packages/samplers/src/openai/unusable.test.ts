import { describe, expect, it } from 'vitest';
import { END_OF_TURN } from '../../test/character-policy.js';
import { type ChatBody, plainChoices } from '../../test/chat-server.js';
import { all, only, request, requests, served } from '../../test/sampling.js';

const message = { content: 'Hi' };
const EMPTY = { text: '', tokens: new Int32Array(), finishReason: 'length' };

describe('the end of a response', () => {
  it.each(['stop', 'eos', 'eos_token', 'stop_sequence', 'end_turn', 'STOP'])('%s is an end', async (reason) => {
    const { finishReason, tokens } = await only({ finish_reason: reason, message });
    expect([finishReason, ...tokens]).toEqual(['stop', 72, 105, END_OF_TURN]);
  });

  it.each(['length', 'max_tokens', 'model_length', 'MAX_TOKENS'])('%s is a cut', async (reason) => {
    const { finishReason, tokens } = await only({ finish_reason: reason, message });
    expect([finishReason, ...tokens]).toEqual(['length', 72, 105]);
  });
});

describe('a response that cannot be used', () => {
  const odd: readonly [name: string, choice: unknown, message: RegExp][] = [
    [
      'a filtered response',
      { finish_reason: 'content_filter', message },
      /got "content_filter". Turn the server's filter/,
    ],
    ['an unknown end', { finish_reason: 'tired', message }, /finish_reason stop or length; got "tired"/],
    ['an end of all objects', { finish_reason: 'constructor', message }, /got "constructor"/],
    ['content that is no text', { finish_reason: 'stop', message: { content: [{ type: 'image' }] } }, /no text.*image/],
    ['no message', { finish_reason: 'stop' }, /a choice has no text/],
    ['nothing', null, /a choice has no text.*got null/],
    ['token ids that are none', { finish_reason: 'stop', message, token_ids: [0.5] }, /a choice has no text/],
    [
      'reasoning apart',
      { finish_reason: 'stop', message: { content: 'x', reasoning_content: 'hm' } },
      /splits reasoning off.*without a reasoning parser, or .*return_token_ids/,
    ],
    [
      'tool calls apart',
      { finish_reason: 'tool_calls', message: { content: null, tool_calls: [{ function: { name: 'f' } }] } },
      /splits tool calls off.*without a tool parser, or .*return_token_ids/,
    ],
    [
      'a tool call apart that ended like a text',
      { finish_reason: 'stop', message: { content: '', function_call: { name: 'f' } } },
      /splits tool calls off/,
    ],
  ];
  it.each(odd)(
    '%s: one that no other stands beside ends the sampling, after two more draws',
    async (_, choice, error) => {
      const { sampler, seen } = await served({ choices: () => [choice] });
      await expect(all(sampler, [request(1)])).rejects.toThrow(error);
      expect(new Set(seen.map(({ body }) => body.seed)).size).toBe(3);
      await expect(all(sampler, [request(1)])).rejects.toThrow(
        /^sampler openai, model policy, row 1: 1 of 1 responses cannot be used; one of them: /,
      );
    },
  );

  it('is drawn anew by itself, and counts as empty where that does not help', async () => {
    const refusing = ({ seed, n }: ChatBody): unknown[] => [
      ...plainChoices({ seed, messages: [{ role: 'user', content: 'x' }], model: 'policy', n: (n ?? 1) - 1 }),
      { finish_reason: 'content_filter', message: { content: '' } },
    ];
    const { sampler, seen, lines } = await served({ choices: refusing });
    const answers = await all(sampler, requests(3, 4));
    for (const { responses } of answers) {
      expect(responses.map(({ finishReason }) => finishReason)).toEqual(['stop', 'stop', 'stop', 'length']);
      expect(responses[3]).toEqual(EMPTY);
    }
    expect(seen).toHaveLength(3 * (1 + 3));
    expect(lines.at(-1)).toBe(
      'sampler openai: 3 of 12 responses cannot be used and count as empty: 3 with finish_reason "content_filter". ' +
        "Turn the server's filter off.",
    );
  });

  it('is replaced by the next draw that can be used', async () => {
    const { sampler, lines } = await served({
      choices: (body) => (body.n === 2 ? [...plainChoices(body).slice(1), null] : plainChoices(body)),
    });
    const [answer] = await all(sampler, [request(1, 2)]);
    expect(answer!.responses.map(({ finishReason }) => finishReason)).toEqual(['stop', 'stop']);
    expect(lines.filter((line) => line.includes('cannot be used'))).toEqual([]);
  });

  it('ends the sampling early where most are so, not at the end of all rows', async () => {
    const { sampler, seen } = await served({ choices: () => [null] }, { concurrency: 1 });
    await expect(all(sampler, requests(1000))).rejects.toThrow(/8 of 8 responses cannot be used/);
    expect(seen.length).toBeLessThan(12);
  });

  it.each([null, 'abort', 'error', 'cancelled'])('that ended with %s is asked for again as it was', async (reason) => {
    const { sampler, seen } = await served({
      choices: (body) => {
        const [choice] = plainChoices(body);
        return seen.length === 1 ? [{ ...(choice as object), finish_reason: reason }] : [choice];
      },
    });
    const [answer] = await all(sampler, [request(1)]);
    expect(answer!.responses[0]!.finishReason).toBe('stop');
    expect(seen.map(({ body }) => body.seed)).toEqual([1001, 1001]);
  });

  it('is exact where the server sends its token ids, whatever it takes out of the text', async () => {
    const taken = { reasoning_content: 'A', content: 'B', tool_calls: [{ function: { name: 'C' } }] };
    const whole = { finish_reason: 'tool_calls', message: taken, token_ids: [65, 66, 67, END_OF_TURN] };
    const { text, tokens, finishReason } = await only(whole);
    expect([text.slice(0, 3), finishReason, ...tokens]).toEqual(['ABC', 'stop', 65, 66, 67, END_OF_TURN]);
    const cut = await only({ finish_reason: 'length', message: { reasoning: 'A' }, token_ids: [65] });
    expect([cut.text, cut.finishReason, ...cut.tokens]).toEqual(['A', 'length', 65]);
  });

  it('is none for an empty list of tool calls, and for text in parts', async () => {
    const parts = [
      { type: 'text', text: 'H' },
      { type: 'text', text: 'i' },
    ];
    const { text } = await only({ finish_reason: 'stop', message: { content: parts, tool_calls: [], reasoning: '' } });
    expect(text).toBe('Hi');
  });
});
