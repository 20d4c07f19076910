import type { ResponseSampler, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { openai } from '../src/openai/openai.js';
import type { OpenaiOptions } from '../src/openai/openai-options.js';
import { characterPolicy } from './character-policy.js';
import { type ChatServerOptions, chatServer } from './chat-server.js';

/** Options that a test gives. */
export type Given = Partial<OpenaiOptions>;

/** A sampler of servers whose policy has characters as tokens; what it reports is in `lines`. */
export const samplerOf = (
  baseUrls: readonly string[],
  options: Given = {},
  { env = {}, lines = [] as string[] }: { readonly env?: Record<string, string>; readonly lines?: string[] } = {},
) =>
  openai({ baseUrls, model: 'policy', ...options }, characterPolicy(), {
    env,
    report: (line) => void lines.push(line),
  });

/** A sampler of one server that behaves so. */
export async function served(server: ChatServerOptions, options: Given = {}) {
  const { url, ...rest } = await chatServer(server);
  const lines: string[] = [];
  return { ...rest, lines, sampler: samplerOf([url], options, { lines }) };
}

/** A request for responses to a row. */
export const request = (row: number, count = 1, more: Partial<SamplingRequest> = {}): SamplingRequest => ({
  row,
  prompt: Int32Array.of(65, row),
  messages: [{ role: 'user', content: `row ${row}` }],
  text: 'rendered',
  count,
  seed: 1000 + row,
  ...more,
});

/** Requests for as many rows. */
export const requests = (rows: number, count = 1) => Array.from({ length: rows }, (_, row) => request(row, count));

/** All answers of a sampler. */
export async function all(from: ResponseSampler, asked: readonly SamplingRequest[], signal?: AbortSignal) {
  const answers: SampledResponses[] = [];
  for await (const answer of from.sample(asked, signal)) answers.push(answer);
  return answers;
}

/** The one response to one request, of a server whose replies hold this choice. */
export async function only(choice: unknown, asked: SamplingRequest = request(1), options: Given = {}) {
  const [answer] = await all((await served({ choices: () => [choice] }, options)).sampler, [asked]);
  return answer!.responses[0]!;
}
