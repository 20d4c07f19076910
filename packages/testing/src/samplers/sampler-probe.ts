import type { ResponseSampler, ServerProbe } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import type { SamplerFlags } from './sampler-flags.js';
import { requestsOf, samplerName } from './sampler-responses.js';

/**
 * Passes when every server is named, and gives log-probabilities of tokens or nothing; and, where it heeds signals,
 * rejects under one that is aborted already. A sampler without `probe` passes.
 * @throws ConformanceError that names the server and the fault
 */
export async function checkSamplerProbe(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  if (sampler.probe === undefined) return;
  const name = samplerName(sampler);
  for (const request of requestsOf(flags)) {
    const probes = await sampler.probe(request);
    if (probes.length === 0) throw new ConformanceError(name, `it has no server to probe for row ${request.row}`);
    for (const probe of probes) {
      const fault = probeFault(probe);
      if (fault !== undefined) throw new ConformanceError(name, `server ${JSON.stringify(probe.server)} ${fault}`);
    }
  }
  if (flags.honoursAbort === false) return;
  const [request] = requestsOf(flags);
  const probes = await sampler.probe(request!, AbortSignal.abort()).catch(() => undefined);
  if (probes !== undefined) {
    throw new ConformanceError(name, 'under an aborted signal it probes, expected it to throw');
  }
}

function probeFault({ server, response }: ServerProbe): string | undefined {
  if (typeof server !== 'string' || server === '') return 'has no name';
  if (response === undefined) return undefined;
  const { tokens, logprobs } = response;
  if (!(tokens instanceof Int32Array)) return 'gives tokens that are no Int32Array';
  if (!(logprobs instanceof Float32Array)) return 'gives log-probabilities that are no Float32Array';
  if (tokens.length === 0) return 'gives log-probabilities of no token';
  if (tokens.length !== logprobs.length) return `gives ${logprobs.length} log-probabilities of ${tokens.length} tokens`;
  const negative = tokens.find((id) => id < 0);
  if (negative !== undefined) return `gives the token id ${negative}`;
  const wrong = logprobs.find((logprob) => !(logprob <= ROUNDING && logprob > Number.NEGATIVE_INFINITY));
  return wrong === undefined ? undefined : `gives the log-probability ${wrong}`;
}

/** By how much rounding may lift the logarithm of a probability above 0. */
const ROUNDING = 1e-3;
