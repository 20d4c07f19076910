import { describe, expect, it } from 'vitest';
import { type ChatBody, chatServer, plainChoices, textOf } from '../../test/chat-server.js';
import { all, request, requests, samplerOf, served } from '../../test/sampling.js';

/** What every request says, so that no server fills in settings of its own. */
const NEUTRAL = {
  presence_penalty: 0,
  frequency_penalty: 0,
  top_k: -1,
  min_p: 0,
  repetition_penalty: 1,
  repeat_penalty: 1,
  typical_p: 1,
  top_n_sigma: -1,
  xtc_probability: 0,
  dry_multiplier: 0,
  dynatemp_range: 0,
  mirostat: 0,
};

describe('a call', () => {
  it('sends the conversation, or the text as the message of a user', async () => {
    const { sampler, seen } = await served(
      {},
      { topK: 20, minP: 0.1, stop: ['END'], extraBody: { seed: null, user: 'me' } },
    );
    await all(sampler, [request(3, 2)]);
    await all(sampler, [request(4, 1, { messages: undefined })]);
    expect(seen.map(({ path, body }) => ({ path, ...body }))).toEqual([
      {
        path: '/v1/chat/completions',
        model: 'policy',
        ...NEUTRAL,
        messages: [{ role: 'user', content: 'row 3' }],
        max_tokens: 2048,
        temperature: 1,
        top_p: 1,
        top_k: 20,
        min_p: 0.1,
        stop: ['END'],
        n: 2,
        user: 'me',
      },
      expect.objectContaining({ messages: [{ role: 'user', content: 'rendered' }] }),
    ]);
  });

  it('sends the token ids of the prompt to completions', async () => {
    const { sampler, seen } = await served({}, { endpoint: 'completions', maxNewTokens: 7, temperature: 0.5 });
    const [answer] = await all(sampler, [request(3)]);
    expect(seen[0]!.path).toBe('/v1/completions');
    const body = {
      ...NEUTRAL,
      model: 'policy',
      prompt: [65, 3],
      max_tokens: 7,
      temperature: 0.5,
      top_p: 1,
      seed: 1003,
    };
    expect(seen[0]!.body).toEqual(body);
    expect(answer!.responses[0]!.text).toBe(textOf(seen[0]!.body));
  });

  it('is one for all responses to a request, or one for each with a seed of its own', async () => {
    const together = await served({});
    const [answer] = await all(together.sampler, [request(1, 4)]);
    expect(together.seen.map(({ body }) => body.n)).toEqual([4]);
    expect(answer!.responses.map(({ text }) => text)).toEqual([0, 1, 2, 3].map((at) => `row 1 ${1001 % 97} ${at}`));
    const separate = await served({}, { useN: false });
    expect((await all(separate.sampler, [request(1, 4)]))[0]!.responses).toHaveLength(4);
    expect(separate.seen.map(({ body }) => body.n)).toEqual([undefined, undefined, undefined, undefined]);
    expect(new Set(separate.seen.map(({ body }) => body.seed)).size).toBe(4);
  });

  it('is made again for the responses alone that the server left out', async () => {
    const { sampler, seen } = await served({ choices: (body) => plainChoices(body).slice(0, 2) });
    const [answer] = await all(sampler, [request(1, 5)]);
    expect(answer!.responses).toHaveLength(5);
    expect(seen.map(({ body }) => body.n)).toEqual([5, undefined, undefined, undefined]);
    expect(new Set(seen.map(({ body }) => body.seed)).size).toBe(4);
  });

  it('is made for each response alone, where a server refuses n', async () => {
    const { url, seen } = await chatServer({ fault: (_, { n }) => (n === undefined ? undefined : 422) });
    const lines: string[] = [];
    const from = samplerOf([url], {}, { lines });
    expect((await all(from, [request(1, 3), request(2, 3)])).map(({ responses }) => responses.length)).toEqual([3, 3]);
    expect(seen.filter(({ body }) => body.n !== undefined)).toHaveLength(2);
    await all(from, [request(3, 3)]);
    expect(seen.filter(({ body }) => body.n !== undefined)).toHaveLength(2);
    expect(seen).toHaveLength(2 + 3 * 3);
    expect(lines.filter((line) => line.includes('refuses n'))).toHaveLength(1);
  });

  it('that is refused for some rows names them, when all others are answered', async () => {
    const isLong = ({ messages }: ChatBody): boolean => /row [135]$/.test(messages!.at(-1)!.content);
    const { url } = await chatServer({ fault: (_, body) => (isLong(body) ? 400 : undefined) });
    const answered: number[] = [];
    const consume = async (): Promise<void> => {
      for await (const { row } of samplerOf([url]).sample(requests(7, 2))) answered.push(row);
    };
    await expect(consume()).rejects.toThrow(
      /^sampler openai, model policy, rows 1, 3, 5: the server refuses what is asked for; all other rows are answered\. Got status 400/,
    );
    expect(answered.sort()).toEqual([0, 2, 4, 6]);
  });

  it('without choices for a single response is an error', async () => {
    const { sampler, seen } = await served({ choices: () => [] }, { retries: 1 });
    await expect(all(sampler, [request(6)])).rejects.toThrow(/model policy, row 6: the server gave no response/);
    expect(seen).toHaveLength(2);
  });
});
