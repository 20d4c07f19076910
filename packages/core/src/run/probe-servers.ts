import type { ResponseSampler, SamplingRequest, ServerProbe } from '../contracts/index.js';

/** A short response that a server wrote to a prompt, with its log-probabilities there. */
export interface Probe extends NonNullable<ServerProbe['response']> {
  readonly server: string;
  readonly prompt: Int32Array;
}

/**
 * Short responses of every server of a sampler to each of the requests.
 * @param warn told of servers that give no log-probabilities
 */
export async function probeServers(
  sampler: ResponseSampler,
  requests: readonly SamplingRequest[],
  warn: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<readonly Probe[]> {
  const where = `sampler ${sampler.id}`;
  if (sampler.probe === undefined) {
    warn(`${where}: whether its servers serve the policy is not checked; they are not asked for log-probabilities`);
    return [];
  }
  const probes: Probe[] = [];
  const silent = new Set<string>();
  for (const request of requests) {
    for (const { server, response } of await sampler.probe(request, signal)) {
      if (response === undefined) silent.add(server);
      else probes.push({ server, prompt: request.prompt, ...response });
    }
  }
  for (const { server } of probes) silent.delete(server);
  for (const server of silent) {
    warn(`${where}: whether ${server} serves the policy is not checked; it gives no log-probabilities that compare`);
  }
  return probes;
}
