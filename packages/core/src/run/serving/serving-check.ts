import {
  MetaapoError,
  type ResponseSampler,
  type SamplingRequest,
  type ServerProbe,
  type ServingCheck,
  type TrainableModel,
} from '../../contracts/index.js';
import { tokenLogprobs } from './token-logprobs.js';

/** What {@link createServingCheck} works with. */
export interface ServingCheckOptions {
  readonly sampler: ResponseSampler;
  readonly policy: TrainableModel;
  readonly microBatchTokens: number;
  /** Told of what cannot be checked, once of each, and of what looks wrong. */
  readonly warning: (text: string) => void;
}

/** Prompts of a check. */
export const PROBES = 4;

/** Most nats between server and policy: bfloat16 makes one or two hundredths, another model or template tenths. */
const COARSE_BOUND = 0.1;

/** A difference can be rounding alone up to this, or up to so many times the smallest of earlier checks. */
const ROUNDING = { nats: 0.005, times: 3 } as const;

/** A short response that a server wrote to a prompt, with its log-probabilities there. */
interface Probe extends NonNullable<ServerProbe['response']> {
  readonly server: string;
  readonly prompt: Int32Array;
}

/** The check before, with what the policy gave its probes then. */
interface EarlierCheck {
  readonly probes: readonly Probe[];
  readonly own: readonly Float32Array[];
  /** The smallest of all checks so far. */
  readonly difference: number;
}

/**
 * A function that compares what every server computes for short responses to the first of some requests with what the
 * policy computes. From the second time on it also refuses a server that is off by half of what training moved the
 * policy since, where that is more than rounding: a server of the earlier policy is off by all of it. One that is
 * farther off than rounding explains is warned of.
 * @returns `undefined` from the function where no server gives log-probabilities
 * @throws MetaapoError with code `network` from the function when a server is farther off than it may be
 */
export function createServingCheck({ sampler, policy, microBatchTokens, warning }: ServingCheckOptions) {
  let earlier: EarlierCheck | undefined;
  const said = new Set<string>();
  const warnOnce = (text: string): void => {
    if (!said.has(text)) warning(text);
    said.add(text);
  };
  return async (requests: readonly SamplingRequest[], signal?: AbortSignal): Promise<ServingCheck | undefined> => {
    const probes = await probeServers(sampler, requests.slice(0, PROBES), warnOnce, signal);
    if (probes.length === 0) return undefined;
    const own = await tokenLogprobs(policy, probes, microBatchTokens, signal);
    const moved = earlier && (await tokenLogprobs(policy, earlier.probes, microBatchTokens, signal));
    const bound = boundAfter(earlier, moved);
    const difference = largestDifference(`sampler ${sampler.id}`, probes, own, bound);
    if (earlier !== undefined && difference > roundingAfter(earlier)) warning(fartherOff(difference, earlier));
    earlier = { probes, own, difference: Math.min(difference, earlier?.difference ?? difference) };
    return { difference, bound };
  };
}

/**
 * Short responses of every server of a sampler to each of the requests.
 * @param warn told of servers that give no log-probabilities
 */
async function probeServers(
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

function boundAfter(earlier: EarlierCheck | undefined, moved: readonly Float32Array[] | undefined): number {
  if (earlier === undefined || moved === undefined) return COARSE_BOUND;
  const half = meanDifference(earlier.own, moved) / 2;
  return half > roundingAfter(earlier) ? Math.min(COARSE_BOUND, half) : COARSE_BOUND;
}

const roundingAfter = ({ difference }: EarlierCheck): number => Math.max(ROUNDING.nats, ROUNDING.times * difference);

function fartherOff(difference: number, earlier: EarlierCheck): string {
  return (
    `the servers are ${difference.toPrecision(2)} nats a token off the policy, after ` +
    `${earlier.difference.toPrecision(2)}; see whether they keep something of an earlier one, such as cached prompts`
  );
}

function largestDifference(
  where: string,
  probes: readonly Probe[],
  own: readonly Float32Array[],
  bound: number,
): number {
  const differences = [...new Set(probes.map(({ server }) => server))].map((server) => {
    const isOfServer = (index: number): boolean => probes[index]!.server === server;
    const theirs = probes.map(({ logprobs }) => logprobs).filter((_, index) => isOfServer(index));
    const difference = meanDifference(
      theirs,
      own.filter((_, index) => isOfServer(index)),
    );
    if (difference <= bound) return difference;
    throw otherPolicy(`${where}, ${server}`, difference, bound);
  });
  return Math.max(...differences);
}

/** Mean |a - b| over all tokens. */
function meanDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let [nats, tokens] = [0, 0];
  for (const [index, logprobs] of a.entries()) {
    nats += logprobs.reduce((sum, logprob, at) => sum + Math.abs(logprob - b[index]![at]!), 0);
    tokens += logprobs.length;
  }
  return nats / tokens;
}

function otherPolicy(where: string, difference: number, bound: number): MetaapoError {
  const reason = bound < COARSE_BOUND ? ', which is half of what training moved the policy' : '';
  return new MetaapoError('network', 'the server does not serve the policy as it is now', {
    where,
    expected: `log-probabilities within ${bound.toPrecision(2)} nats of the policy's own on average${reason}`,
    got: `${difference.toPrecision(2)} nats`,
    remedy:
      'See whether the server has loaded the newest model directory, renders the same chat template, and has dropped ' +
      'what it cached under an earlier policy',
  });
}
