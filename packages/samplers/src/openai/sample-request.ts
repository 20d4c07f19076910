import type { SampledResponse, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import type { JsonClient } from '@metaapo/core/network';
import { seedOf } from '@metaapo/core/numerics';
import type { OpenaiSettings } from './openai-options.js';
import { type ChoiceReader, readChoice } from './read-choice.js';
import { PATHS, requestBody } from './request-body.js';

/** What sampling works with. */
export interface SampleContext {
  readonly client: JsonClient;
  readonly settings: OpenaiSettings;
  readonly readerOf: (request: SamplingRequest) => ChoiceReader;
}

/**
 * The responses to one request: all by one call, and those that the server left out by one call each; or each by its
 * own. A call of its own has a seed that follows from the request's and the response's index.
 */
export async function sampleRequest(
  request: SamplingRequest,
  context: SampleContext,
  signal: AbortSignal,
): Promise<SampledResponses> {
  const { row, count, seed } = request;
  const isShared = context.settings.useN && count > 0;
  const shared = isShared ? await call(request, { count, seed }, context, signal) : [];
  const missing = Array.from({ length: Math.max(0, count - shared.length) }, (_, at) => shared.length + at);
  const separate = await Promise.all(missing.map((index) => callAlone(request, index, context, signal)));
  return { row, responses: [...shared.slice(0, count), ...separate] };
}

async function callAlone(
  request: SamplingRequest,
  index: number,
  context: SampleContext,
  signal: AbortSignal,
): Promise<SampledResponse> {
  const seed = seedOf(['response', request.seed, index]);
  const [response] = await call(request, { count: 1, seed }, context, signal);
  if (response !== undefined) return response;
  throw new MetaapoError('network', 'the server gave no response', {
    where: context.readerOf(request).where,
    expected: 'one choice',
    got: 'choices: []',
  });
}

async function call(
  request: SamplingRequest,
  wanted: { readonly count: number; readonly seed: number },
  { client, settings, readerOf }: SampleContext,
  signal: AbortSignal,
): Promise<readonly SampledResponse[]> {
  const reader = readerOf(request);
  const reply = await client.post(PATHS[settings.endpoint], requestBody(request, wanted, settings), signal);
  const { choices } = (reply ?? {}) as { readonly choices?: unknown };
  if (Array.isArray(choices)) return choices.map((choice) => readChoice(choice, reader));
  throw new MetaapoError('network', 'the reply holds no choices', {
    where: reader.where,
    expected: 'the reply of an OpenAI-compatible server',
    got: reader.shown(reply),
    remedy: 'Check that baseUrls end with /v1',
  });
}
