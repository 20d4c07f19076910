import type { SamplingRequest, ServerProbe } from '@metaapo/core/contracts';
import { isMetaapoError } from '@metaapo/core/contracts';
import { ask, type CallContext } from './ask.js';
import type { Choice } from './read-choices.js';
import { type ResponseReader, readLogprobs, readResponse } from './read-response.js';
import { OddResponse } from './unusable.js';

/** Most tokens of a probe: enough to tell models apart, little to generate. */
const PROBE_TOKENS = 16;

/**
 * What one server computes for a short response to a request, drawn from the model as it is: temperature 1, nothing cut
 * off. A server that answers only when it is not asked for log-probabilities gives none.
 * @param context with a client that reaches this server alone and gives JSON
 * @throws MetaapoError with code `network` when it does not answer, or takes something out of its responses
 */
export async function probeServer(
  address: string,
  request: SamplingRequest,
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<ServerProbe> {
  const { maxNewTokens } = context.settings;
  const asItIs = { temperature: 1, topP: 1, topK: undefined, minP: undefined, stop: undefined, stream: false };
  const settings = { ...context.settings, ...asItIs, maxNewTokens: Math.min(PROBE_TOKENS, maxNewTokens) };
  const reader = { ...context.readerOf(request), stop: undefined };
  const askFor = (logprobs: boolean): Promise<ServerProbe['response']> =>
    ask(
      request,
      { count: 1, seed: request.seed, logprobs },
      ([choice]) => readProbe(choice!, reader),
      { ...context, settings },
      signal,
    );
  const { origin, pathname } = new URL(address);
  const response = await askFor(true).catch(async (error: unknown) => {
    if (!isMetaapoError(error)) throw error;
    await askFor(false);
    return undefined;
  });
  return { server: `${origin}${pathname}`, response };
}

function readProbe(choice: Choice, reader: ResponseReader): ServerProbe['response'] {
  const response = readResponse(choice, reader);
  if (response instanceof OddResponse && choice.takenOut.length > 0) throw response.toError();
  return readLogprobs(choice, reader);
}
