import type { ResponseSampler, SampledResponse, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference } from '../same-values.js';
import type { SamplerFlags } from './sampler-flags.js';

const REQUESTS: readonly SamplingRequest[] = [
  { row: 4, prompt: Int32Array.of(1, 2, 3), text: 'Name a colour.', count: 3, seed: 11 },
  { row: 9, prompt: Int32Array.of(3, 1), messages: [{ role: 'user', content: 'Greet me.' }], count: 1, seed: 12 },
  { row: 2, prompt: Int32Array.of(2, 2, 1, 3), text: 'Count to three.', count: 2, seed: 13 },
];

type ByRow = ReadonlyMap<number, readonly SampledResponse[]>;

/** The part's name, for messages. */
export function samplerName(sampler: ResponseSampler): string {
  return `sampler ${sampler.id}`;
}

/** Requests of a check, new ones each time. */
export function requestsOf({ requests }: SamplerFlags): SamplingRequest[] {
  return structuredClone([...(requests ?? REQUESTS)]);
}

async function collect(
  sampler: ResponseSampler,
  requests: readonly SamplingRequest[],
  signal?: AbortSignal,
): Promise<SampledResponses[]> {
  const all: SampledResponses[] = [];
  for await (const responses of sampler.sample(requests, signal)) all.push(responses);
  return all;
}

/**
 * Passes when every request is answered once, under its row and with as many responses as it wants, and no requests
 * give nothing.
 * @throws ConformanceError that names the row
 */
export async function checkSamplerCounts(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  const name = samplerName(sampler);
  const requests = requestsOf(flags);
  const answers = await collect(sampler, requests);
  for (const { row } of answers) {
    if (requests.every((request) => request.row !== row)) {
      throw new ConformanceError(name, `it answers row ${row}, which was not asked`);
    }
    const times = answers.filter((answer) => answer.row === row).length;
    if (times > 1) throw new ConformanceError(name, `it answers row ${row} ${times} times`);
  }
  for (const { row, count } of requests) {
    const answer = answers.find((candidate) => candidate.row === row);
    if (answer === undefined) throw new ConformanceError(name, `it does not answer row ${row}`);
    const got = answer.responses.length;
    if (got !== count)
      throw new ConformanceError(name, `it gives ${got} responses for row ${row}, which wants ${count}`);
  }
  const idle = await collect(sampler, []);
  if (idle.length > 0) throw new ConformanceError(name, `it gives ${idle.length} answers to no requests`);
}

/**
 * Passes when every response has a text, valid token ids and a finish reason, and the requests stay as they were. Only
 * one that was cut may have no token; none holds a stop text, where the sampler has an option `stop`.
 * @throws ConformanceError that names the row and the fault
 */
export async function checkSamplerResponses(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  const requests = requestsOf(flags);
  for (const { row, responses } of await collect(sampler, requests)) {
    for (const response of responses) {
      const fault = responseFault(response) ?? stopFault(response, sampler.options.stop);
      if (fault !== undefined) throw new ConformanceError(samplerName(sampler), `a response for row ${row} ${fault}`);
    }
  }
  const kept = requestsOf(flags);
  const changed = requests.find((request, at) => !isSameRequest(request, kept[at]!));
  if (changed !== undefined) {
    throw new ConformanceError(samplerName(sampler), `it changes the request of row ${changed.row}`);
  }
}

function responseFault({ text, tokens, finishReason }: SampledResponse): string | undefined {
  if (typeof text !== 'string') return 'has no text';
  if (!(tokens instanceof Int32Array)) return 'has tokens that are no Int32Array';
  if (finishReason !== 'stop' && finishReason !== 'length') {
    return `has the finish reason ${JSON.stringify(finishReason)}, expected stop or length`;
  }
  if (tokens.length === 0 && text !== '') return 'has text and no token';
  if (tokens.length === 0 && finishReason === 'stop') return 'has no token, not even an end';
  const negative = tokens.find((id) => id < 0);
  if (negative !== undefined) return `has the token id ${negative}`;
  return undefined;
}

/**
 * Passes when responses have a log-probability for each token where they were asked for, or none at all.
 * @throws ConformanceError that names the row and the fault
 */
export async function checkSamplerLogprobs(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  const requests = requestsOf(flags).map((request) => ({ ...request, logprobs: true }));
  for (const { row, responses } of await collect(sampler, requests)) {
    for (const { tokens, logprobs, finishReason } of responses) {
      if (logprobs === undefined) continue;
      const fault = (what: string) =>
        new ConformanceError(samplerName(sampler), `a response for row ${row} has ${what}`);
      if (logprobs.length !== tokens.length) {
        throw fault(`${logprobs.length} log-probabilities of ${tokens.length} tokens`);
      }
      const wrong = logprobs.findIndex((value, at) => {
        const isEnd = finishReason === 'stop' && at === tokens.length - 1;
        return !(value <= 1e-5) && !(isEnd && Number.isNaN(value));
      });
      if (wrong >= 0) throw fault(`the log-probability ${logprobs[wrong]}, expected a number that is not above 0`);
    }
  }
}

function stopFault({ text }: SampledResponse, stop: unknown): string | undefined {
  const kept = Array.isArray(stop)
    ? stop.find((ending) => typeof ending === 'string' && text.includes(ending))
    : undefined;
  return kept === undefined ? undefined : `holds the stop text ${JSON.stringify(kept)}, expected it to end before it`;
}

function isSameRequest(a: SamplingRequest, b: SamplingRequest): boolean {
  const plain = (request: SamplingRequest): string => JSON.stringify({ ...request, prompt: [...request.prompt] });
  return plain(a) === plain(b);
}

/**
 * Passes when the same seed gives the same responses again, and whatever else is in flight.
 * @throws ConformanceError that names the row
 */
export async function checkSamplerSeeds(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  const requests = requestsOf(flags);
  const first = byRow(await collect(sampler, requests));
  const again = byRow(await collect(sampler, requests.toReversed()));
  checkSame(sampler, again, first, 'the second time');
  for (const request of requests) checkSame(sampler, byRow(await collect(sampler, [request])), first, 'alone');
}

function byRow(answers: readonly SampledResponses[]): ByRow {
  return new Map(answers.map(({ row, responses }) => [row, responses]));
}

function checkSame(sampler: ResponseSampler, got: ByRow, expected: ByRow, when: string): void {
  for (const [row, responses] of got) {
    const others = expected.get(row) ?? [];
    const isSame =
      responses.length === others.length &&
      responses.every(({ text, tokens }, at) => {
        const other = others[at]!;
        return text === other.text && firstDifference(tokens, other.tokens) === undefined;
      });
    if (!isSame)
      throw new ConformanceError(samplerName(sampler), `row ${row} gets other responses ${when}, by the same seed`);
  }
}

/**
 * Passes when sampling rejects under a signal that is aborted already.
 * @throws ConformanceError when it answers, or ends as if it had
 */
export async function checkSamplerAbort(sampler: ResponseSampler, flags: SamplerFlags = {}): Promise<void> {
  const answers = await collect(sampler, requestsOf(flags), AbortSignal.abort()).catch(() => undefined);
  if (answers === undefined) return;
  const what = answers.length === 0 ? 'ends as if all were answered' : `answers ${answers.length} requests`;
  throw new ConformanceError(samplerName(sampler), `under an aborted signal it ${what}, expected it to throw`);
}
