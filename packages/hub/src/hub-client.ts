import { setTimeout as wait } from 'node:timers/promises';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { backoffMs } from '@metaapo/core/http';
import { boundedReply, LEAST_BYTES, type ReplyBounds } from './bounded-reply.js';
import {
  connectionError,
  largeReplyError,
  PassingFailure,
  placeOf,
  type RequestSubject,
  replyError,
} from './hub-errors.js';
import type { HubOptions, HubSettings } from './hub-settings.js';
import type { Repository } from './repository.js';

/** Most failures in a row without progress before a request is given up. */
const MOST_FAILURES = 5;

/** Most bytes of a reply that is no file. */
const JSON_BYTES = 64 * 2 ** 20;

/** What is sent with a request, and how much may come back. */
export interface Asking {
  readonly headers?: Readonly<Record<string, string>>;
  /** Most bytes of the reply's body; default 64 MiB. */
  readonly mostBytes?: number;
}

/** A wait that is so long is said. */
const SAID_MS = 5000;

/** Requests to the hub about one repository. */
export interface HubClient {
  readonly subject: RequestSubject;
  /** A successful reply, whose body fails when it is too large or stalls. The token goes to the hub alone, never to a host that it redirects to. */
  readonly request: (address: string, asking?: Asking) => Promise<Response>;
  /** Repeats an attempt while its failures may pass. `progress` grows while an attempt gets on. */
  readonly persist: <T>(attempt: () => Promise<T>, progress?: () => number) => Promise<T>;
  readonly signal: AbortSignal | undefined;
  readonly report: HubOptions['report'];
}

/** A client for one repository; errors name it and never show the token. */
export function createHubClient(
  repository: Repository,
  revision: string,
  { endpoint, token }: HubSettings,
  { signal, report, retryDelayMs = 500, stallMs = 60_000 }: HubOptions,
): HubClient {
  const subject = { repository, revision, endpoint, hasToken: token !== undefined };
  const hub = originOf(endpoint);
  const authorization = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const reach = async (address: string, headers: Readonly<Record<string, string>>): Promise<Response> => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer in ${stallMs / 1000} s`)), stallMs);
    const trusted = originOf(address) === hub ? authorization : undefined;
    const sent = { 'user-agent': 'metaapo', 'accept-encoding': 'identity', ...headers, ...trusted };
    const stop = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    return fetch(address, { headers: sent, signal: stop }).finally(() => clearTimeout(timer));
  };
  const ask = async (address: string, { headers = {}, mostBytes = JSON_BYTES }: Asking = {}): Promise<Response> => {
    const reply = await reach(address, headers).catch((cause) => {
      if (isMetaapoError(cause)) throw cause;
      throw new PassingFailure(connectionError(subject, 'the hub cannot be reached', cause));
    });
    if (reply.ok || reply.status === 416) return boundedReply(reply, boundsOf(mostBytes));
    await reply.body?.cancel();
    throw replyError(subject, reply);
  };
  const boundsOf = (mostBytes: number): ReplyBounds => ({
    mostBytes,
    stallMs,
    tooLarge: () => largeReplyError(subject, mostBytes),
    stalled: () => new Error(`less than 1 kB in ${stallMs / 1000} s`),
  });
  return {
    subject,
    signal,
    report,
    request: ask,
    persist: (attempt, progress) => persist(subject, attempt, progress, { signal, report, retryDelayMs }),
  };
}

function originOf(address: string): string {
  if (URL.canParse(address)) return new URL(address).origin;
  throw new MetaapoError('config', 'this is no address of a hub', {
    where: 'HF_ENDPOINT',
    expected: 'an address such as https://huggingface.co',
    got: address,
    remedy: 'Correct it, or unset it',
  });
}

async function persist<T>(
  subject: RequestSubject,
  attempt: () => Promise<T>,
  progress: () => number = () => 0,
  { signal, report, retryDelayMs = 500 }: HubOptions,
): Promise<T> {
  let failures = 0;
  for (;;) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted) throw interrupted(subject, signal.reason);
      if (!(error instanceof PassingFailure)) throw isMetaapoError(error) ? error : storageError(subject, error);
      failures = progress() >= before + LEAST_BYTES ? 1 : failures + 1;
      if (failures >= MOST_FAILURES) throw error.final;
      const restMs = error.retryAfterMs ?? backoffMs(failures, retryDelayMs);
      if (restMs >= SAID_MS)
        report?.(`${subject.repository.name}: the next attempt is in ${Math.round(restMs / 1000)} s`);
      await wait(restMs, undefined, signal ? { signal } : {}).catch((reason) =>
        Promise.reject(interrupted(subject, reason)),
      );
    }
  }
}

function interrupted(subject: RequestSubject, cause: unknown): MetaapoError {
  return new MetaapoError('interrupted', 'the transfer was stopped', {
    where: placeOf(subject),
    remedy: 'Run it again: it goes on where it stopped',
    cause,
  });
}

function storageError(subject: RequestSubject, cause: unknown): MetaapoError {
  return new MetaapoError('config', 'the cache cannot be written', {
    where: placeOf(subject),
    got: cause instanceof Error ? cause.message : String(cause),
    remedy: 'Make room, or set HF_HOME to a directory that can be written',
    cause,
  });
}
