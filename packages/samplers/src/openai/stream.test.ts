import type { SamplingRequest } from '@metaapo/core/contracts';
import { describeSampler } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { characterPolicy } from '../../test/character-policy.js';
import { type ChatServerOptions, chatServer } from '../../test/chat-server.js';
import { openai } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';
import { readStream } from './read-stream.js';

const REQUEST: SamplingRequest = { row: 3, prompt: Int32Array.of(65), text: 'Hello', count: 2, seed: 1003 };

const sampler = (url: string, options: Partial<OpenaiOptions> = {}) =>
  openai({ baseUrls: [url], model: 'policy', stream: true, ...options }, characterPolicy());

async function sampled(options: Partial<OpenaiOptions> = {}, server: ChatServerOptions = {}) {
  const { url, seen } = await chatServer(server);
  for await (const { responses } of sampler(url, options).sample([REQUEST])) return { responses, seen };
  throw new Error('no answer');
}

const events = (...values: readonly unknown[]): string =>
  values.map((value) => `data: ${JSON.stringify(value)}\r\n\r\n`).join('');

for (const endpoint of ['chat', 'completions'] as const) {
  describeSampler({ describe, it }, async () => sampler((await chatServer()).url, { endpoint }), {
    name: `openai with streams from ${endpoint} as a sampler`,
  });
}

describe('a stream', () => {
  it('gives the same responses as a reply in one piece', async () => {
    for (const endpoint of ['chat', 'completions'] as const) {
      const { responses, seen } = await sampled({ endpoint });
      expect(seen[0]!.body.stream).toBe(true);
      expect(responses).toEqual((await sampled({ endpoint, stream: false })).responses);
      expect(responses).toHaveLength(2);
    }
  });

  it('is put together by index, with token ids, reasoning and what ended it', () => {
    const text = `${events(
      { choices: [{ index: 1, delta: { role: 'assistant', content: '' }, finish_reason: null }] },
      { choices: [{ index: 0, delta: { content: 'A', reasoning: 'so' }, token_ids: [65], finish_reason: null }] },
      { choices: [{ index: 1, delta: { content: 'B' }, token_ids: [66], finish_reason: 'length' }] },
      { choices: [{ index: 0, delta: { content: null }, token_ids: [1], finish_reason: 'stop', stop_reason: 'END' }] },
      { choices: [], usage: { total_tokens: 3 } },
    )}data: [DONE]\n\n`;
    expect(readStream(text)).toEqual([
      { finish_reason: 'stop', stop_reason: 'END', token_ids: [65, 1], message: { content: 'A', reasoning: 'so' } },
      { finish_reason: 'length', token_ids: [66], message: { content: 'B', reasoning: '' } },
    ]);
  });

  it.each<[string, string]>([
    ['before a response ended', events({ choices: [{ index: 0, delta: { content: 'A' }, finish_reason: null }] })],
    ['in the middle of an event', `${events({ choices: [{ index: 0, text: 'A' }] })}data: {"choices": [{"ind`],
    ['with an error', events({ error: { message: 'out of memory' } })],
    ['before it began', ''],
  ])('that broke off %s is none', (_, text) => {
    expect(readStream(text)).toBeUndefined();
  });

  it('that broke off is asked for again', async () => {
    let left = 2;
    const whole = [{ index: 0, finish_reason: 'stop', message: { content: 'Hi' } }];
    const { responses, seen } = await sampled(
      { useN: false, retries: 2 },
      { choices: () => (left-- > 0 ? [{ ...whole[0], finish_reason: null }] : whole) },
    );
    expect(responses.map(({ text }) => text)).toEqual(['Hi', 'Hi']);
    expect(seen).toHaveLength(4);
  });

  it('that breaks off each time is an error that shows its end', async () => {
    const choices = () => [{ index: 0, finish_reason: null, message: { content: 'cut' } }];
    await expect(sampled({ retries: 1 }, { choices })).rejects.toThrow(
      /^sampler openai, model policy, row 3: the stream broke off. Expected events up to the end.*\[DONE\]/,
    );
  });
});

it('may take longer than a reply in one piece', () => {
  const url = 'http://localhost:1/v1';
  expect(sampler(url, { timeoutSeconds: 3600 }).options).toMatchObject({ timeoutSeconds: 3600 });
  expect(() => sampler(url, { timeoutSeconds: 3600, stream: false })).toThrow(/timeoutSeconds: above 300 needs stream/);
});
