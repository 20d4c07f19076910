import type { SamplingRequest } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { characterPolicy, END_OF_TURN } from '../../test/character-policy.js';
import { type ChatBody, type ChatServerOptions, chatServer, plainChoices } from '../../test/chat-server.js';
import { openai } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';

const REQUEST: SamplingRequest = {
  row: 1,
  prompt: Int32Array.of(65, 66),
  messages: [{ role: 'user', content: 'Greet me.' }],
  count: 4,
  seed: 7,
};

const sampler = (baseUrls: readonly string[], options: Partial<OpenaiOptions> = {}) =>
  openai({ baseUrls, model: 'policy', retries: 0, ...options }, characterPolicy());

/** What is probed of a server that answers with this choice. */
async function probed(choice: unknown, options: Partial<OpenaiOptions> = {}) {
  const { url, seen } = await chatServer({ choices: () => [choice] });
  const [probe] = await sampler([url], options).probe!(REQUEST);
  return { ...probe!, url, seen };
}

const plain = (response: { readonly tokens: Int32Array; readonly logprobs: Float32Array } | undefined) =>
  response && { tokens: [...response.tokens], logprobs: [...response.logprobs] };

const content = (...entries: readonly (readonly [token: string, logprob: number])[]) => ({
  content: entries.map(([token, logprob]) => ({ token, logprob })),
});
const HI = content(['H', -0.5], ['i', -1]);
const chat = (finish_reason: string, more: object) => ({ finish_reason, message: { content: 'Hi' }, ...more });

it('asks for a short response of the model as it is, with log-probabilities', async () => {
  const options = { temperature: 0.5, topP: 0.9, topK: 5, minP: 0.1, stop: ['END'], extraBody: { user: 'me' } };
  const { seen } = await probed(chat('length', { logprobs: HI }), options);
  const messages = REQUEST.messages;
  const drawn = { model: 'policy', max_tokens: 16, temperature: 1, top_p: 1, seed: 7, user: 'me' };
  const neutral = { top_k: -1, min_p: 0, repetition_penalty: 1, presence_penalty: 0 };
  expect(seen).toHaveLength(1);
  expect(seen[0]!.body).toMatchObject({ ...drawn, ...neutral, messages, logprobs: true });
  expect(seen[0]!.body).not.toHaveProperty('stop');
  const few = await probed({ finish_reason: 'length', text: 'Hi' }, { endpoint: 'completions', maxNewTokens: 3 });
  expect(few.seen[0]!.body).toMatchObject({ prompt: [65, 66], max_tokens: 3, logprobs: 1 });
});

describe('the log-probabilities', () => {
  it('are those of the tokens of the text', async () => {
    const { server, url, response } = await probed(chat('length', { logprobs: HI }));
    expect(server).toBe(url);
    expect(plain(response)).toEqual({ tokens: [72, 105], logprobs: [-0.5, -1] });
    const logprobs = { tokens: ['H', 'i'], token_logprobs: [-0.5, -1] };
    const ofText = await probed({ finish_reason: 'length', text: 'Hi', logprobs }, { endpoint: 'completions' });
    expect(plain(ofText.response)).toEqual({ tokens: [72, 105], logprobs: [-0.5, -1] });
  });

  it('reach to the end token where the server gives its own, and stop before it where it does not', async () => {
    const ended = await probed(chat('stop', { logprobs: content(['H', -0.5], ['i', -1], ['<|im_end|>', -2]) }));
    expect(plain(ended.response)).toEqual({ tokens: [72, 105, END_OF_TURN], logprobs: [-0.5, -1, -2] });
    const open = await probed(chat('stop', { logprobs: HI }));
    expect(plain(open.response)?.tokens).toEqual([72, 105]);
  });

  it('are those of the token ids that the server sends', async () => {
    const sent = await probed(chat('stop', { token_ids: [9, END_OF_TURN], logprobs: content(['Hi', -1], ['', -2]) }));
    expect(plain(sent.response)).toEqual({ tokens: [9, END_OF_TURN], logprobs: [-1, -2] });
    const named = await probed(chat('length', { logprobs: content(['token_id:9', -1], ['token_id:8', -2]) }));
    expect(plain(named.response)?.tokens).toEqual([9, 8]);
    const entries = [{ id: 9, token: 'Hi', logprob: -1 }];
    const numbered = await probed(chat('stop', { logprobs: { content: entries } }));
    expect(plain(numbered.response)).toEqual({ tokens: [9], logprobs: [-1] });
  });

  const NOT_COMPARED: readonly (readonly [name: string, choice: object])[] = [
    ['are left out', chat('length', {})],
    ['are null', chat('length', { logprobs: null })],
    ['are empty', chat('stop', { logprobs: { content: [] } })],
    ['are no numbers', chat('length', { logprobs: { content: [{ token: 'H' }, { token: 'i', logprob: -1 }] } })],
    ['are of fewer tokens', chat('length', { logprobs: content(['Hi', -1]) })],
    ['are of more tokens', chat('stop', { logprobs: content(['H', -1], ['i', -1], ['', -1], ['', -1]) })],
    ['are of other tokens', chat('length', { logprobs: content(['Hi', -1], ['', -1]) })],
    ['belong to no text', { finish_reason: 'length', message: { content: '' }, logprobs: content(['\ufffd', -1]) }],
  ];
  it.each(NOT_COMPARED)('are not compared where they %s', async (_, choice) => {
    expect((await probed(choice)).response).toBeUndefined();
  });
});

describe('every server', () => {
  it('is asked by itself', async () => {
    const servers = [await chatServer(), await chatServer()];
    const probes = await sampler(servers.map(({ url }) => url)).probe!(REQUEST);
    expect(probes.map(({ server }) => server)).toEqual(servers.map(({ url }) => url));
    expect(servers.map(({ seen }) => seen.length)).toEqual([1, 1]);
  });

  it('is named without what its address may hold of a key', async () => {
    const { url } = await chatServer();
    const from = openai({ baseUrls: [`${url}?key=\${KEY}`], model: 'policy' }, characterPolicy(), {
      env: { KEY: 'secret' },
    });
    const [probe] = await from.probe!(REQUEST);
    expect(probe!.server).toBe(url);
  });

  it('that refuses the question alone gives no log-probabilities', async () => {
    const { url, seen } = await chatServer({ fault: (_, { logprobs }) => (logprobs === undefined ? undefined : 422) });
    expect(await sampler([url]).probe!(REQUEST)).toEqual([{ server: url, response: undefined }]);
    expect(seen.at(-1)!.body).not.toHaveProperty('logprobs');
  });

  it.each<[string, NonNullable<ChatServerOptions['fault']>]>([
    ['does not answer', () => 503],
    ['knows another model', () => 404],
  ])('that %s is an error', async (_, fault) => {
    const servers = [await chatServer(), await chatServer({ fault })];
    const probe = sampler(servers.map(({ url }) => url)).probe!(REQUEST);
    await expect(probe).rejects.toThrow(`sampler openai at ${servers[1]!.url}/chat/completions`);
  });

  it('that takes something out of its responses is an error', async () => {
    const message = { content: 'Hi', reasoning_content: 'hm' };
    await expect(probed({ finish_reason: 'stop', message, logprobs: HI })).rejects.toThrow(
      /without a reasoning parser/,
    );
  });

  it('is left alone when the signal is aborted', async () => {
    const { url, seen } = await chatServer({ fault: () => 'hang' });
    await expect(sampler([url]).probe!(REQUEST, AbortSignal.abort('enough'))).rejects.toBe('enough');
    expect(seen).toHaveLength(0);
  });
});

it('is not offered where it is turned off', () => {
  expect(sampler(['http://localhost:1/v1'], { probe: false }).probe).toBeUndefined();
});

it('does not stream', async () => {
  const choices = (body: ChatBody) => plainChoices(body).map((choice) => ({ ...(choice as object), logprobs: HI }));
  const { url, seen } = await chatServer({ choices });
  await sampler([url], { stream: true }).probe!(REQUEST);
  expect(seen[0]!.body.stream).toBeUndefined();
});
