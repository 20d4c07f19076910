import type { SampledResponse, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { askForChoices, type CallContext } from './ask-for-choices.js';
import { readChoice } from './read-choice.js';
import { requestBody } from './request-body.js';

/**
 * The responses to one request: all by one call, and those that the server left out by one call each; or each by its
 * own. A call of its own has a seed that follows from the request's and the response's index.
 */
export async function sampleRequest(
  request: SamplingRequest,
  context: CallContext,
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
  context: CallContext,
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
  context: CallContext,
  signal: AbortSignal,
): Promise<readonly SampledResponse[]> {
  const { settings, readerOf } = context;
  const choices = await askForChoices(requestBody(request, wanted, settings), request, context, signal);
  return choices.map((choice) => readChoice(choice, readerOf(request)));
}
