import type { SamplingRequest } from '@metaapo/core/contracts';
import { describeSampler } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { characterPolicy } from '../../test/character-policy.js';
import { type ChatBody, type ChatServerOptions, chatServer } from '../../test/chat-server.js';
import { all, served } from '../../test/sampling.js';
import { openai } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';

const REQUEST: SamplingRequest = { row: 3, prompt: Int32Array.of(65), text: 'Hello', count: 2, seed: 1003 };

const sampler = (url: string, options: Partial<OpenaiOptions> = {}) =>
  openai({ baseUrls: [url], model: 'policy', stream: true, ...options }, characterPolicy());

async function sampled(options: Partial<OpenaiOptions> = {}, server: ChatServerOptions = {}, request = REQUEST) {
  const { sampler: from, seen, lines } = await served(server, { stream: true, ...options });
  const [answer] = await all(from, [request]);
  return { responses: answer!.responses, seen, lines };
}

const events = (...values: readonly unknown[]): string =>
  values.map((value) => `data: ${JSON.stringify(value)}\r\n\r\n`).join('');

/** Events of pieces of choices, each by itself. */
const pieces = (...choices: readonly object[]): string => events(...choices.map((choice) => ({ choices: [choice] })));

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

  it('is put together by index, with token ids and what ended it', async () => {
    const text = `${pieces(
      { index: 1, delta: { role: 'assistant', content: '' }, finish_reason: null },
      { index: 0, delta: { content: 'A' }, token_ids: [65], finish_reason: null },
      { index: 1, delta: { content: 'B' }, token_ids: [66], finish_reason: 'length' },
      { index: 0, delta: { content: null }, token_ids: [1], finish_reason: 'stop', stop_reason: null },
    )}${events({ choices: [], usage: { total_tokens: 3 } })}data: [DONE]\n\n`;
    const { responses } = await sampled({}, { events: () => text });
    expect(responses).toEqual([
      { text: 'A', tokens: Int32Array.of(65, 1), finishReason: 'stop' },
      { text: 'B', tokens: Int32Array.of(66), finishReason: 'length' },
    ]);
  });

  it('may carry log-probabilities, and say the end of its one response twice', async () => {
    const entry = (token: string, logprob: number) => ({ content: [{ token, logprob }] });
    const text = pieces(
      { delta: { content: 'H' }, logprobs: entry('H', -0.5) },
      { delta: { content: 'i' }, logprobs: entry('i', -1), finish_reason: 'length' },
      { delta: {}, finish_reason: 'length' },
    );
    const { responses } = await sampled({}, { events: () => text }, { ...REQUEST, count: 1, logprobs: true });
    expect([responses[0]!.text, ...responses[0]!.logprobs!]).toEqual(['Hi', -0.5, -1]);
  });

  it('may be a reply in one piece, from a server that does not stream', async () => {
    const whole = { choices: [0, 1].map((index) => ({ index, finish_reason: 'stop', message: { content: 'Hi' } })) };
    const { responses, seen } = await sampled({}, { events: () => JSON.stringify(whole) });
    expect(responses.map(({ text }) => text)).toEqual(['Hi', 'Hi']);
    expect(seen).toHaveLength(1);
  });

  const end = { index: 0, delta: { content: 'A' }, finish_reason: 'stop' };
  it.each<[string, string]>([
    ['before a response ended', pieces({ index: 0, delta: { content: 'A' }, finish_reason: null })],
    ['in the middle of an event', `${pieces(end)}data: {"choices": [{"ind`],
    ['with an error', `${pieces(end)}${events({ error: { message: 'out of memory' } })}`],
    ['with an event that is none', `${pieces({ index: 0, delta: { content: 'A' } })}data: oops\n\n${pieces(end)}`],
    ['with a piece that is none', `${pieces({ index: 0, delta: { content: 7 } }, end)}`],
    ['with an event that is a number', `${events(7)}${pieces(end)}`],
    ['before it began', ''],
    ['and went on after its end', pieces(end, { index: 0, delta: { content: 'B' } })],
    ['with another index', pieces({ ...end, index: 1 })],
  ])('that broke off %s is asked for again, and never a shorter answer', async (_, broken) => {
    let left = 1;
    const { responses, seen } = await sampled(
      { retries: 1 },
      { events: () => (left-- > 0 ? broken : pieces({ ...end, delta: { content: 'whole' } })) },
      { ...REQUEST, count: 1 },
    );
    expect(responses.map(({ text }) => text)).toEqual(['whole']);
    expect(seen).toHaveLength(2);
  });

  it.each<[string, (at: number, isEnd: boolean) => number]>([
    ['all of whose pieces say index 0', () => 0],
    ['whose ends say index 0', (at, isEnd) => (isEnd ? 0 : at)],
  ])('%s gives n up, and no two responses become one', async (_, indexOf) => {
    const mixing = ({ n = 1 }: ChatBody): string => {
      const all = Array.from({ length: n }, (__, at) => at);
      const says = (content: string) => all.map((at) => ({ index: indexOf(at, false), delta: { content } }));
      const ends = all.map((at) => ({ index: indexOf(at, true), delta: {}, finish_reason: 'stop' }));
      return pieces(...says('Re'), ...says('d'), ...ends);
    };
    const { responses, seen, lines } = await sampled({}, { events: mixing });
    expect(responses.map(({ text }) => text)).toEqual(['Red', 'Red']);
    expect(seen.map(({ body }) => body.n)).toEqual([2, undefined, undefined]);
    expect(lines.filter((line) => line.includes('mixes up the responses of a stream'))).toHaveLength(1);
  });

  it('that ends one of several responses alone is not trusted either', async () => {
    const { responses, seen } = await sampled({}, { events: () => pieces(end) });
    expect(responses.map(({ text }) => text)).toEqual(['A', 'A']);
    expect(seen.map(({ body }) => body.n)).toEqual([2, undefined, undefined]);
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
      /^sampler openai, model policy, row 3: the stream broke off. Expected events up to the end.*"finish_reason":null/,
    );
  });
});

it('may take longer than a reply in one piece', () => {
  const url = 'http://localhost:1/v1';
  expect(sampler(url, { timeoutSeconds: 3600 }).options).toMatchObject({ timeoutSeconds: 3600 });
  expect(() => sampler(url, { timeoutSeconds: 3600, stream: false })).toThrow(/timeoutSeconds: above 300 needs stream/);
});
