import type { SamplingRequest, ServerProbe } from '@metaapo/core/contracts';
import { isMetaapoError } from '@metaapo/core/contracts';
import { askForChoices, type CallContext } from './ask-for-choices.js';
import { readProbe } from './read-probe.js';
import { LOGPROBS, requestBody } from './request-body.js';

/** Most tokens of a probe: enough to tell models apart, little to generate. */
const PROBE_TOKENS = 16;

/**
 * What one server computes for a short response to a request, drawn from the model as it is: temperature 1, nothing cut
 * off. A server that answers only when it is not asked for log-probabilities gives none.
 * @param context with a client that reaches this server alone and gives JSON
 * @throws MetaapoError with code `network` when it does not answer
 */
export async function probeServer(
  address: string,
  request: SamplingRequest,
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<ServerProbe> {
  const { endpoint, maxNewTokens } = context.settings;
  const asItIs = { temperature: 1, topP: 1, topK: undefined, minP: undefined, stop: undefined, stream: false };
  const settings = { ...context.settings, ...asItIs, maxNewTokens: Math.min(PROBE_TOKENS, maxNewTokens) };
  const body = requestBody(request, { count: 1, seed: request.seed }, settings);
  const ask = (more: object): Promise<readonly unknown[]> =>
    askForChoices({ ...body, ...more }, request, { ...context, settings }, signal);
  const { origin, pathname } = new URL(address);
  const server = `${origin}${pathname}`;
  const choices = await ask(LOGPROBS[endpoint]).catch(async (error: unknown) => {
    if (!isMetaapoError(error)) throw error;
    await ask({});
    return undefined;
  });
  return { server, response: choices && readProbe(choices[0], { ...context.readerOf(request), stop: undefined }) };
}
