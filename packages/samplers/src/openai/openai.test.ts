import { inspect } from 'node:util';
import {
  parseOptions,
  type ResponseSampler,
  type SampledResponses,
  type SamplingRequest,
} from '@metaapo/core/contracts';
import { describeSampler } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { characterPolicy, characters, END_OF_TEXT, END_OF_TURN } from '../../test/character-policy.js';
import { type ChatBody, type ChatServerOptions, chatServer, plainChoices, textOf } from '../../test/chat-server.js';
import { asCompleted } from './as-completed.js';
import { openai, openaiPart } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';

type Given = Partial<OpenaiOptions>;

const sampler = (baseUrls: readonly string[], options: Given = {}, env: Record<string, string> = {}) =>
  openai({ baseUrls, model: 'policy', ...options }, characterPolicy(), { env });

/** A sampler of one server that behaves so. */
async function served(server: ChatServerOptions, options: Given = {}) {
  const { url, ...rest } = await chatServer(server);
  return { ...rest, sampler: sampler([url], options) };
}

const request = (row: number, count = 1, more: Partial<SamplingRequest> = {}): SamplingRequest => ({
  row,
  prompt: Int32Array.of(65, row),
  messages: [{ role: 'user', content: `row ${row}` }],
  text: 'rendered',
  count,
  seed: 1000 + row,
  ...more,
});
const requests = (rows: number, count = 1) => Array.from({ length: rows }, (_, row) => request(row, count));

async function all(from: ResponseSampler, asked: readonly SamplingRequest[], signal?: AbortSignal) {
  const answers: SampledResponses[] = [];
  for await (const answer of from.sample(asked, signal)) answers.push(answer);
  return answers;
}

/** The one response to one request. */
async function only(choice: unknown, asked: SamplingRequest = request(1), options: Given = {}) {
  const [answer] = await all((await served({ choices: () => [choice] }, options)).sampler, [asked]);
  return answer!.responses[0]!;
}

for (const options of [
  {},
  { endpoint: 'completions' },
  { useN: false, stop: ['END'], extraBody: { a: [1] } },
] as const) {
  describeSampler({ describe, it }, async () => sampler([(await chatServer()).url], options), {
    name: `openai ${JSON.stringify(options)} as a sampler`,
  });
}

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
    const body = { model: 'policy', prompt: [65, 3], max_tokens: 7, temperature: 0.5, top_p: 1, seed: 1003 };
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
    const around = { env: {}, report: (line: string) => void lines.push(line) };
    const from = openai({ baseUrls: [url], model: 'policy' }, characterPolicy(), around);
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
      for await (const { row } of sampler([url]).sample(requests(7, 2))) answered.push(row);
    };
    await expect(consume()).rejects.toThrow(
      /^sampler openai, model policy, rows 1, 3, 5: the server refuses what is asked for; all other rows are answered\. Got status 400/,
    );
    expect(answered.sort()).toEqual([0, 2, 4, 6]);
  });

  it('without choices for a single response is an error', async () => {
    const { sampler } = await served({ choices: () => [] });
    await expect(all(sampler, [request(6)])).rejects.toThrow(/model policy, row 6: the server gave no response/);
  });
});

describe('log-probabilities', () => {
  const content = [
    { token: 'H', logprob: -0.5 },
    { token: 'i', logprob: -1 },
  ];
  const message = { content: 'Hi' };
  const asked = request(1, 1, { logprobs: true });

  it('are asked for and given where they are wanted; an end may lack its own', async () => {
    const cut = await only({ finish_reason: 'length', message, logprobs: { content } }, asked);
    expect([...cut.logprobs!]).toEqual([-0.5, -1]);
    const ended = await only({ finish_reason: 'stop', message, logprobs: { content } }, asked);
    expect([...ended.logprobs!]).toEqual([-0.5, -1, Number.NaN]);
    expect((await only({ finish_reason: 'stop', message, logprobs: { content } })).logprobs).toBeUndefined();
    const { sampler, seen } = await served({});
    await all(sampler, [asked, request(2)]);
    expect(seen.map(({ body }) => (body as { logprobs?: boolean }).logprobs)).toEqual([true, undefined]);
  });

  it('are left out where they belong to other tokens, or to some only', async () => {
    const other = [{ token: 'Hi', logprob: -0.5 }];
    for (const wrong of [{ content: other }, { content: content.slice(0, 1) }, undefined]) {
      const given = await only({ finish_reason: 'length', message, logprobs: wrong }, asked);
      expect([given.text, given.logprobs]).toEqual(['Hi', undefined]);
    }
  });
});

describe('token ids', () => {
  const text = 'Hi';
  const own = [72, 105];
  const message = { content: text };

  it('are those of the text, with the id that ends a turn or a text', async () => {
    const chat = await only({ finish_reason: 'stop', message });
    expect([chat.text, ...chat.tokens]).toEqual([text, ...own, END_OF_TURN]);
    const plain = await only({ finish_reason: 'stop', text }, request(1, 1, { messages: undefined }));
    expect([...plain.tokens]).toEqual([...own, END_OF_TEXT]);
    const empty = await only({ finish_reason: 'stop', message: { content: null } });
    expect([empty.text, ...empty.tokens]).toEqual(['', END_OF_TURN]);
  });

  it('have no end where the response was cut', async () => {
    const cut = await only({ finish_reason: 'length', message });
    expect([cut.finishReason, ...cut.tokens]).toEqual(['length', ...own]);
    const nothing = await only({ finish_reason: 'length', message: { content: '' } });
    expect(nothing).toEqual({ text: '', tokens: new Int32Array(), finishReason: 'length' });
  });

  it('are the server’s, where it sends them', async () => {
    const ended = await only({ finish_reason: 'stop', message, token_ids: [9, 8, END_OF_TEXT], stop_reason: null });
    expect([...ended.tokens]).toEqual([9, 8, END_OF_TEXT]);
    const open = await only({ finish_reason: 'stop', message, token_ids: [9, 8] });
    expect([...open.tokens]).toEqual([9, 8, END_OF_TURN]);
    const cut = await only({ finish_reason: 'length', message: { content: '' }, token_ids: [9, 8] });
    expect([cut.text, ...cut.tokens]).toEqual(['', 9, 8]);
  });

  it('are those of the text where a stop text ended it, which the server’s reach beyond', async () => {
    const choice = { finish_reason: 'stop', message, token_ids: [72, 105, 33, 33], stop_reason: '!!' };
    expect([...(await only(choice)).tokens]).toEqual([...own, END_OF_TURN]);
  });

  it('end before a stop text that the server leaves in', async () => {
    const choice = { finish_reason: 'length', message: { content: 'Hi!! more' }, token_ids: [72, 105, 33, 33, 32] };
    const cut = await only(choice, request(1), { stop: ['??', '!!'] });
    expect([cut.text, cut.finishReason, ...cut.tokens]).toEqual([text, 'stop', ...own, END_OF_TURN]);
  });

  it('have to be the policy’s', async () => {
    const choice = { finish_reason: 'length', message, token_ids: [1, 128] };
    await expect(only(choice)).rejects.toThrow(
      /a token id that the policy does not have. Expected ids from 0 to 127; got 128/,
    );
  });
});

describe('a reply that is none', () => {
  const refused: readonly [name: string, choice: unknown, message: RegExp][] = [
    ['a filtered response', { finish_reason: 'content_filter', message: { content: 'x' } }, /got "content_filter"/],
    ['an aborted response', { finish_reason: 'abort', message: { content: 'x' } }, /got "abort"/],
    ['no finish reason', { message: { content: 'x' } }, /finish_reason stop or length; got null/],
    ['content in parts', { finish_reason: 'stop', message: { content: [] } }, /no text.*got \[\]/],
    [
      'reasoning apart',
      { finish_reason: 'stop', message: { content: 'x', reasoning_content: 'hm' } },
      /without a reasoning parser/,
    ],
    ['nothing', null, /finish_reason stop or length; got null/],
  ];
  for (const [name, choice, message] of refused) {
    it(`${name} is an error that says so`, async () => {
      await expect(only(choice)).rejects.toThrow(message);
      await expect(only(choice)).rejects.toThrow(/^sampler openai, model policy, row 1: /);
    });
  }

  it('no list of choices is an error that shows what came', async () => {
    const { sampler } = await served({ choices: () => 'none' });
    await expect(all(sampler, [request(1)])).rejects.toThrow(
      /holds no choices.*"choices":"none".*baseUrls end with \/v1/,
    );
  });

  it('a wrong model is an error at once', async () => {
    const { sampler, seen } = await served({}, { model: 'other' });
    await expect(all(sampler, [request(1)])).rejects.toThrow(/got status 404: .*model other.*the name of the model/);
    expect(seen).toHaveLength(1);
  });

  it('never shows the API key, which was sent', async () => {
    const { url, seen } = await chatServer({ choices: ({ seed }) => (seed === 1001 ? [`sk-${'secret'}`] : []) });
    const options = { apiKeyVariable: 'POLICY_KEY', model: 'other' };
    const secret = sampler([url], options, { POLICY_KEY: 'sk-secret' });
    const told = sampler([url], { apiKeyVariable: 'POLICY_KEY' }, { POLICY_KEY: 'sk-secret' });
    expect(JSON.stringify(secret.options)).not.toContain('secret');
    for (const from of [secret, told]) {
      const error = await all(from, [request(1)]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 9 })).not.toContain('secret');
    }
    expect(seen[0]!.authorization).toBe('Bearer sk-secret');
  });
});

describe('many requests', () => {
  it('are each answered once over servers that are dead, faulty or sound', async () => {
    const dead = await chatServer();
    dead.close();
    const faults = ['cut', 503, undefined, 'garbage', 429, undefined] as const;
    const faulty = await chatServer({
      fault: (count, { seed }) => (count <= 2 ? faults[(seed + count * 3) % faults.length] : undefined),
    });
    const sound = await chatServer();
    const from = sampler([dead.url, faulty.url, sound.url], { concurrency: 3, retries: 4 });
    const answers = await all(from, requests(40, 2));
    expect(answers.map(({ row }) => row).sort((a, b) => a - b)).toEqual(requests(40).map(({ row }) => row));
    for (const { row, responses } of answers) {
      expect(responses.map(({ text }) => text)).toEqual([0, 1].map((at) => `row ${row} ${(1000 + row) % 97} ${at}`));
    }
    const seeds = [...faulty.answered, ...sound.answered].map(({ seed }) => seed);
    expect(seeds.sort((a, b) => a - b)).toEqual(requests(40).map(({ seed }) => seed));
  });

  it('go to the server that is free, so the fast one gets more', async () => {
    const allTaken = deferred();
    const slow = await chatServer({ choices: (body) => allTaken.promise.then(() => plainChoices(body)) });
    const fast = await chatServer({
      choices: (body) => {
        if (fast.seen.length === 18) allTaken.resolve(undefined);
        return plainChoices(body);
      },
    });
    expect(await all(sampler([slow.url, fast.url], { concurrency: 2 }), requests(20))).toHaveLength(20);
    expect([slow.answered.length, fast.answered.length]).toEqual([2, 18]);
  });

  it('are yielded as soon as they are complete', async () => {
    const first = deferred();
    const { sampler } = await served({
      choices: async (body) => {
        if (body.seed === 1000) await first.promise;
        return plainChoices(body);
      },
    });
    const rows: number[] = [];
    for await (const { row } of sampler.sample(requests(3))) {
      rows.push(row);
      if (rows.length === 2) first.resolve(undefined);
    }
    expect(rows.slice(0, 2).sort()).toEqual([1, 2]);
    expect(rows[2]).toBe(0);
  });

  it('that are answered are yielded before the failure of another is thrown', async () => {
    const others = deferred();
    const { sampler } = await served({
      choices: async (body: ChatBody) => {
        if (body.seed === 1002) await others.promise;
        return body.seed === 1002 ? 'broken' : plainChoices(body);
      },
    });
    const rows: number[] = [];
    const consume = async (): Promise<void> => {
      for await (const { row } of sampler.sample(requests(3))) {
        rows.push(row);
        if (rows.length === 2) others.resolve(undefined);
      }
    };
    await expect(consume()).rejects.toThrow(/row 2: the reply holds no choices/);
    expect(rows.sort()).toEqual([0, 1]);
  });

  it('stop at once when the signal is aborted', async () => {
    const { sampler, seen, closed } = await served({ fault: () => 'hang' });
    const stop = new AbortController();
    const sampled = all(sampler, requests(3), stop.signal);
    await waitFor(() => seen.length === 3);
    stop.abort('enough');
    await expect(sampled).rejects.toBe('enough');
    await Promise.all(closed);
  });

  it('stop when the caller has enough', async () => {
    const { sampler, seen, closed } = await served({
      fault: (_, { seed }) => (seed === 1000 ? undefined : 'hang'),
      choices: async (body) => {
        await waitFor(() => seen.length === 4);
        return plainChoices(body);
      },
    });
    for await (const { row } of sampler.sample(requests(4))) {
      expect(row).toBe(0);
      break;
    }
    await Promise.all(closed);
  });
});

it('what is done is yielded before a failure that came earlier', async () => {
  const tasks = [Promise.resolve(1), Promise.reject(new Error('broken')), Promise.resolve(2)];
  const results: number[] = [];
  const consume = async (): Promise<void> => {
    for await (const result of asCompleted(tasks)) results.push(result);
  };
  await expect(consume()).rejects.toThrow('broken');
  expect(results).toEqual([1, 2]);
});

describe('options', () => {
  const make = (options: Given) => () => sampler(['http://localhost:1/v1'], options);

  it('that do not fit together are refused', () => {
    expect(make({ refresh: 'command' })).toThrow(/openai refreshCommand: refresh: command needs it/);
    expect(make({ refresh: 'reload-endpoint' })).toThrow(/openai refreshPath: refresh: reload-endpoint needs it/);
    expect(make({ refresh: 'directory' })).toThrow(/openai refreshDirectory: refresh: directory needs it/);
    expect(make({ refresh: 'directory', refreshDirectory: 'served', refreshBody: {} })).toThrow(
      /for refreshPath alone/,
    );
    expect(make({ refreshCommand: 'true' })).toThrow(/refreshCommand: it is for refresh: command alone/);
    expect(make({ refreshBody: {} })).toThrow(/refreshBody: it is for refresh: reload-endpoint or directory alone/);
    expect(make({ startModel: 'base' })).toThrow(/startModel: it needs a refresh/);
    expect(make({ extraBody: { stream: true } })).toThrow(/extraBody: stream is decided by the sampler/);
    expect(() => sampler([])).toThrow(/openai baseUrls/);
    expect(() => sampler(['http://me:sk-secret@localhost/v1'])).toThrow(/^(?!.*secret).*holds credentials/);
    expect(make({ timeoutSeconds: 301 })).toThrow(/timeoutSeconds/);
  });

  it('need a policy with a tokenizer, and an API key where one is named', () => {
    const options = { baseUrls: ['http://localhost:1/v1'], model: 'policy' };
    const { tokenizer: _, ...bare } = characterPolicy();
    expect(() => openai(options, bare)).toThrow(/the policy has no tokenizer/);
    const context = { baseDirectory: '/', report: () => undefined, env: {} };
    const checked = parseOptions('sampler openai', openaiPart.options, options);
    expect(() => openaiPart.create(checked, context)).toThrow(/no policy whose tokenizer/);
    expect(make({ apiKeyVariable: 'POLICY_KEY' })).toThrow(/in the environment variable POLICY_KEY/);
  });

  it('cannot send token ids alone to a chat server', async () => {
    const from = sampler(['http://localhost:1/v1']);
    const bare = request(1, 1, { messages: undefined, text: undefined });
    await expect(all(from, [bare])).rejects.toThrow(/row 1: the prompt is token ids alone.*completions/);
  });

  it('ends a conversation as a template says, and as the tokenizer does where there is none', async () => {
    const { url } = await chatServer();
    const bare = characterPolicy({ ...characters, hasChatTemplate: false });
    const from = openai({ baseUrls: [url], model: 'policy' }, bare);
    const [answer] = await all(from, [request(1)]);
    expect(answer!.responses[0]!.tokens.at(-1)).toBe(END_OF_TEXT);
  });
});

/** Turns the event loop until something holds; the test's time limit ends it otherwise. */
async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

function deferred() {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise<unknown>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
