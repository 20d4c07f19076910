import { setTimeout as wait } from 'node:timers/promises';
import { backoffMs } from '@metaapo/core/http';
import { z } from 'zod';
import type { EncodedRequest } from '../wire/wire.js';
import { type Heartbeats, startHeartbeats } from './heartbeats.js';
import {
  createHttpExchange,
  type HttpExchange,
  type HttpReply,
  isLostInWords,
  type ServiceAddress,
} from './http-exchange.js';
import { isFailure, ServiceFailure } from './service-failure.js';

/** How long is waited, in milliseconds. */
export interface ServiceTimes {
  /** Of trying again what is not answered, from the first failure on. */
  readonly patienceMs: number;
  /** The same after an interruption, when only what has begun is still to be saved. */
  readonly graceMs: number;
  /** Before the first new attempt; it doubles each time, up to 30 s. */
  readonly retryDelayMs: number;
  /** Between two heartbeats of a session. */
  readonly beatMs: number;
  /** Of a poll for a result; Node gives up a reply whose headers do not come within 300 s, and proxies sooner. */
  readonly pollMs: number;
  /** Of any other request: a chunk of a few megabytes on a slow line. */
  readonly requestMs: number;
}

/** Requests to a service, whatever is asked. */
export interface Service {
  readonly http: HttpExchange;
  readonly heartbeats: Heartbeats;
  readonly times: ServiceTimes;
  /** Waits between attempts at one thing. */
  patience(): Patience;
  /** Sends a request once: JSON of `body`, or what is encoded. */
  post(path: string, body: unknown): Promise<HttpReply>;
  postEncoded(request: EncodedRequest): Promise<HttpReply>;
  /** A request that may be repeated: tried again as long as it is not answered and patience lasts. */
  patiently<Result>(attempt: () => Promise<Result>): Promise<Result>;
  /**
   * The result of what was accepted, however long it takes.
   * @throws ServiceFailure of kind `lost` when the model or the result is gone, `refused` when the operation failed
   */
  resultOf(requestId: string, accept?: string): Promise<HttpReply>;
}

const operationFault = z.object({ error: z.string(), category: z.string().nullish() });
const tryAgain = z.object({ type: z.literal('try_again') });

/** @throws MetaapoError with code `config` for an address that cannot be used, or a key that is not set */
export function createService(address: ServiceAddress, times: ServiceTimes, signal: AbortSignal | undefined): Service {
  const http = createHttpExchange(address);
  const postEncoded = ({ path, contentType, body }: EncodedRequest): Promise<HttpReply> =>
    http.send({ method: 'POST', path, contentType, body, timeoutMs: times.requestMs });
  const patiently: Service['patiently'] = async (attempt) => {
    const patience = patienceOf(times, signal);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isFailure(error, 'unanswered') || !(await patience.wait(error.retryAfterMs))) throw error;
      }
    }
  };
  const poll = (requestId: string, accept: string): Promise<HttpReply | undefined> => {
    const body = Buffer.from(JSON.stringify({ request_id: requestId, allow_metadata_only: false }));
    const sent = { method: 'POST', path: 'retrieve_future', contentType: 'application/json', body } as const;
    return http.send({ ...sent, accept, timeoutMs: times.pollMs }).catch((error: unknown) => {
      if (isFailure(error, 'unanswered') && error.status === 408) return undefined;
      throw error;
    });
  };
  return {
    http,
    times,
    patience: () => patienceOf(times, signal),
    heartbeats: startHeartbeats(http.addressOf('session_heartbeat'), http.headers, times.beatMs),
    post: (path, body) =>
      postEncoded({ path, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) }),
    postEncoded,
    patiently,
    async resultOf(requestId, accept = 'application/json') {
      for (;;) {
        const begun = performance.now();
        const reply = await patiently(() => poll(requestId, accept));
        if (reply !== undefined && !isPending(reply)) return requireSuccess(http, reply);
        // A server that does not hold the line is not asked without a pause.
        if (performance.now() - begun < times.retryDelayMs) await wait(times.retryDelayMs);
      }
    },
  };
}

/** How often and how long something is tried. */
export interface Patience {
  /**
   * Waits before the next attempt, longer each time.
   * @param askedMs what the service asks for
   * @returns false when there is to be none, since patience is over
   */
  wait(askedMs?: number): Promise<boolean>;
}

/** An interruption breaks nothing off, so that the state can be saved; it shortens patience with what does not answer. */
function patienceOf({ patienceMs, graceMs, retryDelayMs }: ServiceTimes, signal: AbortSignal | undefined): Patience {
  let end = performance.now() + patienceMs;
  let wasAborted = false;
  let failures = 0;
  const shorten = (): void => {
    if (wasAborted || !signal?.aborted) return;
    wasAborted = true;
    end = Math.min(end, performance.now() + graceMs);
  };
  return {
    async wait(askedMs) {
      shorten();
      if (performance.now() > end) return false;
      failures += 1;
      const ms = Math.min(askedMs ?? backoffMs(failures, retryDelayMs), Math.max(0, end - performance.now()));
      await wait(ms, undefined, wasAborted ? {} : { signal }).catch(() => undefined);
      return true;
    },
  };
}

const isJson = ({ contentType }: HttpReply): boolean => contentType.includes('json');

function isPending(reply: HttpReply): boolean {
  return isJson(reply) && reply.body.length < 1000 && tryAgain.safeParse(jsonOf(reply)).success;
}

/** An operation that failed may be told with status 200. */
function requireSuccess(http: HttpExchange, reply: HttpReply): HttpReply {
  const fault = isJson(reply) && reply.body.length < 100_000 ? operationFault.safeParse(jsonOf(reply)).data : undefined;
  if (fault === undefined) return reply;
  const kind = isLostInWords(400, fault.error) ? 'lost' : 'refused';
  const final = http.fault('retrieve_future', 'the operation failed', fault.error, "Look into the service's log");
  throw new ServiceFailure(kind, final, { status: 200 });
}

function jsonOf({ body }: HttpReply): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * What a reply says, by a schema; a text that cannot be read counts as no reply.
 * @throws ServiceFailure of kind `unanswered`
 */
export function readReply<Value>(service: Service, path: string, reply: HttpReply, schema: z.ZodType<Value>): Value {
  const parsed = schema.safeParse(jsonOf(reply));
  if (parsed.success) return parsed.data;
  throw unreadable(service, path, reply.body);
}

/** The failure of a reply that is not what it should be. */
export function unreadable({ http }: Pick<Service, 'http'>, path: string, body: Buffer): ServiceFailure {
  const got = body.toString('utf8', 0, 200);
  const remedy =
    'Check that the address is that of a service with the Tinker API, and that nothing in between answers for it';
  return new ServiceFailure('unanswered', http.fault(path, 'the reply cannot be read', got, remedy));
}
