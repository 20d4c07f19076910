import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { bytesOf, type StreamedReply, TransientError, untilDone, withReply } from '@metaapo/core/http';
import { connectionError, largeReplyError, placeOf, type RequestSubject, replyError } from './hub-errors.js';
import type { HubOptions, HubSettings } from './hub-settings.js';
import type { Repository } from './repository.js';

/** Most failures in a row without progress before a request is given up. */
const MOST_FAILURES = 5;
const REDIRECTS = 10;
/** Most bytes of a reply that is no file. */
const JSON_BYTES = 64 * 2 ** 20;
/** A wait that is so long is said. */
const SAID_MS = 5000;

/** A reply that is no file. */
export interface HubAnswer {
  /** The JSON in it. */
  readonly value: unknown;
  readonly headers: Headers;
  readonly bytes: number;
}

/** Requests to the hub about one repository. */
export interface HubClient {
  readonly subject: RequestSubject;
  /**
   * What is made of a successful reply, or of one that says that a range is wrong. The token goes to the hub alone, never to a
   * host that it redirects to.
   */
  readonly ask: <Result>(
    address: string,
    headers: Readonly<Record<string, string>>,
    use: (reply: StreamedReply) => Promise<Result>,
  ) => Promise<Result>;
  /** The JSON of a reply of at most so many bytes, by default 64 MiB. */
  readonly askJson: (address: string, mostBytes?: number) => Promise<HubAnswer>;
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
  const hub = new URL(endpoint).origin;
  const broken = (cause: unknown): Error =>
    new TransientError(connectionError(subject, 'the hub cannot be reached, or broke the connection', cause));
  const stalled = (): Error => broken(new Error(`less than 1 kB in ${stallMs / 1000} s`));
  const ask: HubClient['ask'] = (address, headers, use) => {
    const request = {
      address,
      method: 'GET',
      headers: { 'user-agent': 'metaapo', 'accept-encoding': 'identity', ...headers },
      authorization: token !== undefined && new URL(address).origin === hub ? `Bearer ${token}` : undefined,
      redirects: REDIRECTS,
      stallMs,
      signal,
      faults: { late: stalled, stalled, broken },
    } as const;
    return withReply(request, (reply) => {
      if (reply.ok || reply.status === 416) return use(reply);
      throw replyError(subject, reply);
    });
  };
  const askJson: HubClient['askJson'] = (address, mostBytes = JSON_BYTES) =>
    ask(address, {}, async (reply) => {
      const { bytes, isCut } = await bytesOf(reply, mostBytes);
      if (isCut) throw largeReplyError(subject, mostBytes);
      return { value: parsed(subject, bytes), headers: reply.headers, bytes: bytes.length };
    });
  const onWait = (restMs: number): void => {
    if (restMs >= SAID_MS) report?.(`${repository.name}: the next attempt is in ${Math.round(restMs / 1000)} s`);
  };
  const persist: HubClient['persist'] = (attempt, progress) =>
    untilDone(attempt, { mostFailures: MOST_FAILURES, retryDelayMs, progress, onWait, signal }).catch((error) => {
      if (signal?.aborted) throw interrupted(subject, signal.reason);
      throw !isMetaapoError(error) && error instanceof Error && 'syscall' in error
        ? storageError(subject, error)
        : error;
    });
  return { subject, ask, askJson, persist, signal, report };
}

function parsed(subject: RequestSubject, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new TransientError(connectionError(subject, 'the hub’s answer did not arrive whole', cause));
  }
}

function interrupted(subject: RequestSubject, cause: unknown): MetaapoError {
  return new MetaapoError('interrupted', 'the transfer was stopped', {
    where: placeOf(subject),
    remedy: 'Run it again: it goes on where it stopped',
    cause,
  });
}

function storageError(subject: RequestSubject, cause: Error): MetaapoError {
  return new MetaapoError('config', 'the cache cannot be written', {
    where: placeOf(subject),
    got: cause.message,
    remedy: 'Make room, or set HF_HOME to a directory that can be written',
    cause,
  });
}
