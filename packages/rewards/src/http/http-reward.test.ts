import { inspect } from 'node:util';
import type { RewardRequest, Tokenizer } from '@metaapo/core/contracts';
import { describeRewardModel } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { addressOfTest, type RewardServerOptions, rewardServer } from '../../test/reward-server.js';
import { type HttpRewardContext, type HttpRewardOptions, httpReward, httpRewardPart } from './http-reward.js';

interface Body {
  readonly query: readonly string[];
  readonly prompts: readonly string[];
  readonly labels: readonly string[];
}

const lengths = ({ query }: Body) => ({ rewards: query.map((text) => text.length / 4) });

async function served(
  server: Partial<RewardServerOptions<Body>> = {},
  options: Partial<HttpRewardOptions> = {},
  context: HttpRewardContext = {},
) {
  const { url, ...rest } = await rewardServer<Body>({ answer: lengths, ...server });
  return { ...rest, url, model: httpReward({ url: `${url}/get_reward`, ...options }, context) };
}

const requests = (...responses: string[]): RewardRequest[] =>
  responses.map((response) => ({ prompt: 'Say: ', response }));

for (const batchSize of [1, 2, 16]) {
  const create = async () => httpReward({ url: await addressOfTest<Body>({ answer: lengths }), batchSize });
  describeRewardModel({ describe, it }, create, {
    name: `http in batches of ${batchSize} as a reward model`,
    honoursAbort: true,
  });
}

describe('the request', () => {
  it('is what OpenRLHF sends', async () => {
    const { model, seen } = await served();
    expect([...(await model.score(requests('no', 'yes')))]).toEqual([1.75, 2]);
    const body = { query: ['Say: no', 'Say: yes'], prompts: ['Say: ', 'Say: '], labels: ['', ''] };
    expect(seen).toEqual([{ path: '/get_reward', body, authorization: undefined }]);
  });

  it('renders a conversation by the chat template, or as plain turns without one', async () => {
    const conversation = [{ role: 'user', content: 'Hi' }];
    const asked = [{ prompt: conversation, response: 'Hello' }];
    const tokenizer = {
      fingerprint: 'marks',
      hasChatTemplate: true,
      renderChat: (messages, { addGenerationPrompt } = {}) =>
        messages.map(({ content }) => `<u>${content}`).join('') + (addGenerationPrompt ? '<a>' : ''),
    } as Tokenizer;
    const rendered = await served({}, { ending: '</a>' }, { tokenizer });
    await rendered.model.score(asked);
    expect(rendered.seen[0]!.body).toEqual({ query: ['<u>Hi<a>Hello</a>'], prompts: ['<u>Hi<a>'], labels: [''] });
    const plain = await served();
    await plain.model.score(asked);
    expect(plain.seen[0]!.body.query).toEqual(['user: Hi\n\nassistant: Hello']);
  });

  it('goes in batches, whose rewards keep their places', async () => {
    const { model, seen } = await served({}, { batchSize: 3 });
    const texts = Array.from({ length: 8 }, (_, at) => 'x'.repeat(at));
    expect([...(await model.score(requests(...texts)))]).toEqual(texts.map(({ length }) => (length + 5) / 4));
    expect(seen.map(({ body }) => body.query.length)).toEqual([3, 3, 2]);
    seen.length = 0;
    const mixed = [5, 0, 7, 2, 6, 1, 4, 3].map((at) => texts[at]!);
    expect([...(await model.score(requests(...mixed)))]).toEqual(mixed.map(({ length }) => (length + 5) / 4));
    const lengthsOf = ({ body }: (typeof seen)[number]) => body.query.map(({ length }) => length - 5);
    expect(seen.map(lengthsOf)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
  });

  it('is tried again until it is answered, once', async () => {
    const faults = [503, 'cut', 429, undefined] as const;
    const { model, answered } = await served(
      { fault: (count, { query }) => (count === 1 ? faults[query[0]!.length % 4] : undefined) },
      { batchSize: 1 },
    );
    const texts = Array.from({ length: 12 }, (_, at) => 'x'.repeat(at));
    expect([...(await model.score(requests(...texts)))]).toEqual(texts.map(({ length }) => (length + 5) / 4));
    expect(answered.map(({ query }) => query[0]!.length - 5).sort((a, b) => a - b)).toEqual(texts.map((t) => t.length));
  });

  it('ends with the signal', async () => {
    const { model, seen } = await served({ fault: () => 'hang' });
    const stop = new AbortController();
    const scored = model.score(requests('a'), stop.signal);
    while (seen.length < 1) await new Promise((resolve) => setImmediate(resolve));
    stop.abort('enough');
    await expect(scored).rejects.toBe('enough');
  });
});

describe('the reply', () => {
  const scoring = async (reply: unknown) => (await served({ answer: () => reply })).model.score(requests('a', 'b'));

  it('may say scores, and null where there is none', async () => {
    expect([...(await scoring({ scores: [1, null] }))]).toEqual([1, Number.NaN]);
    expect([...(await scoring({ rewards: [1, 2], scores: [3, 4], extra_logs: {} }))]).toEqual([1, 2]);
  });

  const wrong: readonly [name: string, reply: unknown, message: string][] = [
    ['another number of rewards', { rewards: [1] }, 'got 1 of them: [1]'],
    ['a text', { rewards: [1, '2'] }, 'got "2" at place 1'],
    ['a list', { rewards: [[1], 2] }, 'got [1] at place 0'],
    ['a number beyond float32', { rewards: [1, 1e39] }, 'got 1e+39 at place 1'],
    ['no rewards', { reward: 1 }, 'got {"reward":1}'],
    ['nothing', null, 'got null'],
  ];
  for (const [name, reply, message] of wrong) {
    it(`with ${name} is an error that says so`, async () => {
      await expect(scoring(reply)).rejects.toThrow(
        'reward model http: the reply does not hold a reward for each response. ' +
          `Expected {"rewards": [...]} or {"scores": [...]} with 2 numbers; ${message}`,
      );
    });
  }

  it('with null alone ends the run, instead of training it on offline pairs', async () => {
    const { model } = await served({ answer: ({ query }) => ({ rewards: query.map(() => null) }) });
    await expect(model.score(requests('a', 'b', 'c', 'd'))).rejects.toThrow(
      'reward model http: 4 answers in a row hold no reward that can be read. Expected numbers; got {"rewards":[null,',
    );
  });

  it('that tells of an overload is asked for again', async () => {
    const busy = { rewards: null, error: { code: 503, message: 'workers busy' } };
    const { model, seen } = await served({ answer: (body, count) => (count === 1 ? busy : lengths(body)) });
    expect([...(await model.score(requests('a')))]).toEqual([1.5]);
    expect(seen).toHaveLength(2);
  });

  it('that is a refusal does not show the API key, which was sent', async () => {
    const options = { apiKeyVariable: 'REWARD_KEY' };
    const { model, seen, url } = await served({ fault: () => 403 }, options, { env: { REWARD_KEY: 'sk-secret' } });
    const error = await model.score(requests('a')).catch((reason: unknown) => reason);
    expect(String(error)).toContain(`reward model http at ${url}/get_reward: the server refuses the request`);
    expect(inspect([error, model], { depth: 9 })).not.toContain('secret');
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer sk-secret']);
  });
});

it('has a fingerprint that follows from what decides the rewards alone', async () => {
  const url = 'http://localhost:1/get_reward';
  const of = (options: Partial<HttpRewardOptions>) => httpReward({ url, ...options }).fingerprint;
  expect(of({ batchSize: 3, retries: 1 })).toBe(of({}));
  expect(of({ ending: '</s>' })).not.toBe(of({}));
  expect(of({ url: 'http://localhost:2/get_reward' })).not.toBe(of({}));
});

it('is made as a part', async () => {
  const { url, seen } = await rewardServer<Body>({ answer: lengths });
  const context = { baseDirectory: '/', report: () => undefined, env: { KEY: 'k' } };
  const settings = { url: [url], apiKeyVariable: 'KEY', batchSize: 1, timeoutSeconds: 9, retries: 0, concurrency: 1 };
  expect(await (await httpRewardPart.create(settings, context)).score(requests('a'))).toEqual(Float32Array.of(1.5));
  expect(seen[0]!.authorization).toBe('Bearer k');
  expect(() => httpReward({ url, batchSize: 0 })).toThrow(/reward model http batchSize/);
});
