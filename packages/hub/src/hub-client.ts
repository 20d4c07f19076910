import { setTimeout as wait } from 'node:timers/promises';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { connectionError, PassingFailure, placeOf, type RequestSubject, replyError } from './hub-errors.js';
import type { HubOptions, HubSettings } from './hub-settings.js';
import type { Repository } from './repository.js';

/** Most failures in a row without progress before a request is given up. */
const MOST_FAILURES = 5;

/** Requests to the hub about one repository. */
export interface HubClient {
  readonly subject: RequestSubject;
  /** A successful reply. The token goes to the hub alone, never to a host that it redirects to. */
  readonly request: (address: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;
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
  { signal, report, retryDelayMs = 500 }: HubOptions,
): HubClient {
  const subject = { repository, revision, endpoint, hasToken: token !== undefined };
  const hub = originOf(endpoint);
  const authorization = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const ask = async (address: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> => {
    const sent = { 'user-agent': 'metaapo', 'accept-encoding': 'identity', ...headers };
    const trusted = originOf(address) === hub ? authorization : undefined;
    const reply = await fetch(address, { headers: { ...sent, ...trusted }, signal: signal ?? null }).catch((cause) => {
      throw new PassingFailure(connectionError(subject, 'the hub cannot be reached', cause));
    });
    if (reply.ok || reply.status === 416) return reply;
    await reply.body?.cancel();
    throw replyError(subject, reply);
  };
  return {
    subject,
    signal,
    report,
    request: ask,
    persist: (attempt, progress) => persist(subject, attempt, progress, signal, retryDelayMs),
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
  signal: AbortSignal | undefined,
  retryDelayMs: number,
): Promise<T> {
  let failures = 0;
  for (;;) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted) throw interrupted(subject, signal.reason);
      if (!(error instanceof PassingFailure)) throw isMetaapoError(error) ? error : storageError(subject, error);
      failures = progress() > before ? 1 : failures + 1;
      if (failures >= MOST_FAILURES) throw error.final;
      await wait(error.retryAfterMs ?? retryDelayMs * 2 ** (failures - 1), undefined, signal ? { signal } : {}).catch(
        (reason) => Promise.reject(interrupted(subject, reason)),
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
