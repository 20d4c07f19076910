import type { SampledResponse, SampledResponses, SamplingRequest, ServerProbe } from '@metaapo/core/contracts';
import { TransientError } from '@metaapo/core/http';
import { seedOf } from '@metaapo/core/numerics';
import { ask, type CallContext } from './ask.js';
import { areMixedUp, type Choice } from './read-choices.js';
import { type ResponseReader, readLogprobs, readResponse } from './read-response.js';
import { isWrongRequest, OddResponse, oddResponseOf, RefusedRow, type ResponseTally } from './unusable.js';

/** What sampling works with. */
export interface SamplingContext extends CallContext {
  readonly tally: ResponseTally;
}

/** Times that a response is drawn anew, each with a seed of its own, while it cannot be used. */
const REDRAWS = 2;

/**
 * The responses to one request: all by one call, and those that the server left out or that cannot be used by one call
 * each; or each by its own, also where the server refuses `n`. A call of its own has a seed that follows from the
 * request's and the response's index. A response that cannot be used in the end is counted, and is empty.
 * @returns a {@link RefusedRow} where the server refuses a request for a single response
 */
export async function sampleRequest(
  request: SamplingRequest,
  context: SamplingContext,
  signal: AbortSignal,
): Promise<SampledResponses | RefusedRow> {
  const { row, count } = request;
  try {
    const first = await firstResponses(request, context, signal);
    const responses = await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const given = first[index];
        return given instanceof OddResponse || given === undefined
          ? callAlone(request, index, given, context, signal)
          : given;
      }),
    );
    return { row, responses: responses.map(context.tally.settle) };
  } catch (error) {
    if (isWrongRequest(error)) return new RefusedRow(row, error);
    throw error;
  }
}

type Read = SampledResponse | OddResponse;

/** What one call for all responses gives; nothing where each is to be asked for alone. */
async function firstResponses(
  request: SamplingRequest,
  context: SamplingContext,
  signal: AbortSignal,
): Promise<readonly Read[]> {
  const { count, seed } = request;
  const { settings, takesN, foreign, tally } = context;
  if (count === 0 || !settings.useN || (count > 1 && takesN.isRefused)) return [];
  const wereLeftOut = foreign.areLeftOut;
  try {
    const responses = await call(request, { count, seed }, context, signal);
    responses.forEach(tally.see);
    return responses;
  } catch (error) {
    const odd = oddResponseOf(error);
    if (count === 1 && odd !== undefined) {
      tally.see(odd);
      return [odd];
    }
    if (areMixedUp(error)) {
      takesN.refuse('mixes up the responses of a stream');
      return [];
    }
    if (count === 1 || !isWrongRequest(error)) throw error;
    const alone = await callAlone(request, 0, undefined, context, signal);
    // The request alone is right: it is `n` that the server refuses, unless it was what has just been left out.
    if (wereLeftOut === foreign.areLeftOut) takesN.refuse('refuses n');
    return [alone];
  }
}

/** A response by a call of its own, drawn anew while it cannot be used. */
async function callAlone(
  request: SamplingRequest,
  index: number,
  before: OddResponse | undefined,
  context: SamplingContext,
  signal: AbortSignal,
): Promise<Read> {
  let odd = before;
  for (let draw = before !== undefined && request.count === 1 ? 1 : 0; draw <= REDRAWS; draw++) {
    const seed = seedOf(['response', request.seed, index, ...(draw === 0 ? [] : [draw])]);
    const response = await drawOne(request, seed, context, signal);
    // What was drawn before was seen then, and would count anew with each draw.
    if (draw === 0 && before === undefined) context.tally.see(response);
    if (!(response instanceof OddResponse)) return response;
    odd = response;
  }
  return odd!;
}

async function drawOne(
  request: SamplingRequest,
  seed: number,
  context: SamplingContext,
  signal: AbortSignal,
): Promise<Read> {
  try {
    const [response] = await call(request, { count: 1, seed }, context, signal);
    return response!;
  } catch (error) {
    const odd = oddResponseOf(error);
    if (odd === undefined) throw error;
    return odd;
  }
}

async function call(
  request: SamplingRequest,
  wanted: { readonly count: number; readonly seed: number },
  context: SamplingContext,
  signal: AbortSignal,
): Promise<readonly Read[]> {
  const reader = context.readerOf(request);
  const read = (choices: readonly Choice[]): readonly Read[] => {
    const responses = choices.map((choice) => readSampled(choice, request, reader));
    const [only] = responses;
    if (wanted.count === 1 && only instanceof OddResponse && only.mayPass) throw new TransientError(only.toError());
    return responses;
  };
  return ask(request, wanted, read, context, signal);
}

function readSampled(choice: Choice, { logprobs }: SamplingRequest, reader: ResponseReader): Read {
  const response = readResponse(choice, reader);
  if (logprobs !== true || response instanceof OddResponse) return response;
  return withLogprobs(response, readLogprobs(choice, reader));
}

/** The response with log-probabilities, where the server's belong to its tokens; an end may lack its own. */
function withLogprobs(response: SampledResponse, probe: ServerProbe['response']): SampledResponse {
  if (probe === undefined || probe.tokens.some((token, at) => token !== response.tokens[at])) return response;
  const isOfAll = probe.tokens.length >= response.tokens.length - (response.finishReason === 'stop' ? 1 : 0);
  if (!isOfAll) return response;
  return { ...response, logprobs: Float32Array.from(response.tokens, (_, at) => probe.logprobs[at] ?? Number.NaN) };
}
