import type { SampledResponse, SampledResponses, SamplingRequest, ServerProbe } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { askForChoices, type CallContext } from './ask-for-choices.js';
import { readChoice } from './read-choice.js';
import { readProbe } from './read-probe.js';
import { isWrongRequest, RefusedRow } from './refused-rows.js';
import { requestBody } from './request-body.js';

/**
 * The responses to one request: all by one call, and those that the server left out by one call each; or each by its
 * own, also where the server refuses `n`. A call of its own has a seed that follows from the request's and the
 * response's index.
 * @returns a {@link RefusedRow} where the server refuses a request for a single response
 */
export async function sampleRequest(
  request: SamplingRequest,
  context: CallContext,
  signal: AbortSignal,
): Promise<SampledResponses | RefusedRow> {
  const { row, count } = request;
  try {
    const first = await firstResponses(request, context, signal);
    const missing = Array.from({ length: Math.max(0, count - first.length) }, (_, at) => first.length + at);
    const others = await Promise.all(missing.map((index) => callAlone(request, index, context, signal)));
    return { row, responses: [...first.slice(0, count), ...others] };
  } catch (error) {
    if (isWrongRequest(error)) return new RefusedRow(row, error);
    throw error;
  }
}

/** What one call for all responses gives; nothing where each is to be asked for alone. */
async function firstResponses(
  request: SamplingRequest,
  context: CallContext,
  signal: AbortSignal,
): Promise<readonly SampledResponse[]> {
  const { count, seed } = request;
  const { settings, takesN } = context;
  if (count === 0 || !settings.useN || (count > 1 && takesN.isRefused)) return [];
  try {
    return await call(request, { count, seed }, context, signal);
  } catch (error) {
    if (count === 1 || !isWrongRequest(error)) throw error;
    const alone = await callAlone(request, 0, context, signal);
    // The request alone is right, so that it is `n` which the server refuses.
    takesN.refuse();
    return [alone];
  }
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
  const reader = readerOf(request);
  return choices.map((choice) => {
    const response = readChoice(choice, reader);
    return request.logprobs === true ? withLogprobs(response, readProbe(choice, reader)) : response;
  });
}

/** The response with log-probabilities, where the server's belong to its tokens; an end may lack its own. */
function withLogprobs(response: SampledResponse, probe: ServerProbe['response']): SampledResponse {
  if (probe === undefined || probe.tokens.some((token, at) => token !== response.tokens[at])) return response;
  const isOfAll = probe.tokens.length >= response.tokens.length - (response.finishReason === 'stop' ? 1 : 0);
  if (!isOfAll) return response;
  return { ...response, logprobs: Float32Array.from(response.tokens, (_, at) => probe.logprobs[at] ?? Number.NaN) };
}
