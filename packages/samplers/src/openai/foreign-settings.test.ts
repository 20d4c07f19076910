import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { characterPolicy } from '../../test/character-policy.js';
import { type ChatBody, chatServer } from '../../test/chat-server.js';
import { all, request, requests, samplerOf, served } from '../../test/sampling.js';
import { openai } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';

/** What OpenAI's own servers know. */
const KNOWN = ['model', 'messages', 'max_tokens', 'temperature', 'top_p', 'seed', 'n', 'stop', 'logprobs'];
const strict = (_: number, body: ChatBody): number | undefined =>
  Object.keys(body).every((name) => KNOWN.includes(name)) ? undefined : 400;

async function policyDirectory(generation: object): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-policy-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'generation_config.json'), JSON.stringify(generation));
  return directory;
}

it('are decided by each request, also by that of a probe', async () => {
  const { sampler, seen, lines } = await served({});
  await sampler.probe!(request(1));
  await all(sampler, [request(1, 2)]);
  const neutral = { top_k: -1, min_p: 0, repetition_penalty: 1, repeat_penalty: 1, presence_penalty: 0 };
  for (const { body } of seen) expect(body).toMatchObject(neutral);
  expect(lines.filter((line) => line.includes('own settings'))).toEqual([]);
});

it('are left out for a server that refuses them, which is said once, with what the policy’s files say', async () => {
  const { url, seen } = await chatServer({ fault: strict });
  const lines: string[] = [];
  const generation = { eos_token_id: 2, do_sample: true, repetition_penalty: 1.1, top_k: 20, top_p: 0.8, min_p: 0 };
  const policy = { ...characterPolicy(), directory: await policyDirectory(generation) };
  const from = openai({ baseUrls: [url], model: 'policy', concurrency: 1 }, policy, {
    env: {},
    report: (line) => void lines.push(line),
  });
  expect(await all(from, requests(3, 2))).toHaveLength(3);
  const said = lines.filter((line) => line.includes('own settings'));
  expect(said).toEqual([
    expect.stringContaining('generation_config.json says repetition_penalty 1.1, top_k 20: where'),
  ]);
  const before = seen.length;
  await all(from, requests(3, 2));
  // From then on one request a row, with n and without what the server refuses.
  expect(seen.length - before).toBe(3);
  expect(seen.at(-1)!.body).not.toHaveProperty('top_k');
  expect(seen.at(-1)!.body.n).toBe(2);
});

it('are settled by the probe, before a response is paid for', async () => {
  const { sampler, lines, seen } = await served({ fault: strict });
  await sampler.probe!(request(1));
  expect(lines.at(-1)).toMatch(/its own settings hold$/);
  await all(sampler, [request(1)]);
  expect(seen).toHaveLength(3);
});

it('stay decided where a server refuses another thing of some requests', async () => {
  const fault = (_: number, { messages }: ChatBody) => (/row 2$/.test(messages!.at(-1)!.content) ? 400 : undefined);
  const { sampler, seen, lines } = await served({ fault }, { concurrency: 1 });
  await expect(all(sampler, requests(4))).rejects.toThrow(/row 2: the server refuses what is asked for/);
  expect(seen.at(-1)!.body).toHaveProperty('top_k');
  expect(lines.filter((line) => line.includes('own settings'))).toEqual([]);
});

it('that the recipe wants are never left out: the server’s refusal stands', async () => {
  const { sampler } = await served({ fault: strict }, { topK: 20 });
  await expect(all(sampler, [request(1)])).rejects.toThrow(/row 1: the server refuses what is asked for/);
});

it.each<[NonNullable<OpenaiOptions['dialect']>, object, readonly string[]]>([
  ['vllm', { top_k: -1, min_p: 0, repetition_penalty: 1, top_p: 1 }, ['repeat_penalty', 'mirostat']],
  ['sglang', { top_k: -1, min_p: 0, repetition_penalty: 1 }, ['repeat_penalty']],
  ['llama.cpp', { top_k: -1, min_p: 0, repeat_penalty: 1, typical_p: 1 }, ['repetition_penalty']],
  ['tgi', { frequency_penalty: 0 }, ['top_p', 'top_k', 'repetition_penalty']],
  ['openai', { frequency_penalty: 0, top_p: 1 }, ['top_k', 'min_p']],
])('are named in the words of %s, where the recipe says so', async (dialect, entries, without) => {
  const { sampler, seen } = await served({}, { dialect });
  await all(sampler, [request(1)]);
  expect(seen[0]!.body).toMatchObject(entries);
  for (const name of without) expect(seen[0]!.body).not.toHaveProperty(name);
});

it('can be decided otherwise by extraBody', async () => {
  const { sampler, seen } = await served({}, { topK: 5, extraBody: { repetition_penalty: 1.2, mirostat: null } });
  await all(sampler, [request(1)]);
  expect(seen[0]!.body).toMatchObject({ top_k: 5, repetition_penalty: 1.2 });
  expect(seen[0]!.body).not.toHaveProperty('mirostat');
});

it('of Ollama, which no request can decide, are named once', async () => {
  const { url } = await chatServer({ reply: { system_fingerprint: 'fp_ollama' } });
  const lines: string[] = [];
  const from = samplerOf([url], {}, { lines });
  await from.probe!(request(1));
  await all(from, requests(3));
  expect(lines.filter((line) => line.includes('Ollama takes no top_k'))).toHaveLength(1);
});
