import { MetaapoError } from '@metaapo/core/contracts';
import { reasonOf, retryAfterMs, type StreamedReply, TransientError } from '@metaapo/core/http';
import { pageAddress, type Repository } from './repository.js';

/** What a request is about, for its errors. */
export interface RequestSubject {
  readonly repository: Repository;
  readonly revision: string;
  readonly endpoint: string;
  readonly hasToken: boolean;
}

const SET_TOKEN = 'set HF_TOKEN to a token with read access to it';

/** The error of a reply that is not a success. */
export function replyError(subject: RequestSubject, reply: StreamedReply): MetaapoError | TransientError {
  if (reply.origin !== new URL(subject.endpoint).origin) {
    const cause = new Error(`status ${reply.status} of ${new URL(reply.origin).host}`);
    return new TransientError(connectionError(subject, 'the store that the hub points to refuses the file', cause));
  }
  const code = reply.headers.get('x-error-code');
  const got = `status ${reply.status}${code === null ? '' : ` (${code})`}`;
  const [summary, remedy] = explain(subject, reply.status, code);
  const error = new MetaapoError('network', summary, { where: placeOf(subject), got, remedy });
  if (reply.status !== 429 && reply.status < 500) return error;
  return new TransientError(error, retryAfterMs(reply.headers.get('retry-after')));
}

function explain(subject: RequestSubject, status: number, code: string | null): [summary: string, remedy: string] {
  const page = pageAddress(subject.endpoint, subject.repository);
  if (code === 'GatedRepo' || status === 403) {
    return ['access to it is restricted', `Ask for access at ${page}, then ${SET_TOKEN}`];
  }
  if (code === 'RevisionNotFound')
    return ['it has no such revision', `Look at ${page} which branches and tags there are`];
  if (status === 401 && subject.hasToken) {
    return ['the hub does not accept the access token for it', `Check the spelling, and ${SET_TOKEN}`];
  }
  if (status === 401 || status === 404) {
    return [
      'the hub does not have it, or does not show it without the right token',
      `Check the spelling; if it is private, ${SET_TOKEN}`,
    ];
  }
  if (status === 429) return ['the hub refuses so many requests', `Wait a while; with HF_TOKEN set more are allowed`];
  return ['the hub failed', 'Try again later; what arrived so far is kept'];
}

/** The error of a request that got no reply, or only a part of one. */
export function connectionError(subject: RequestSubject, what: string, cause: unknown): MetaapoError {
  return new MetaapoError('network', what, {
    where: placeOf(subject),
    got: reasonOf(cause),
    remedy:
      'Check the connection, the proxy and HF_ENDPOINT, and run it again: it goes on where it stopped. With all files in the cache HF_HUB_OFFLINE=1 works without the hub',
    cause,
  });
}

/** The failure of a reply that brings more than it may: the hub, or what stands before it, is faulty. */
export function largeReplyError(subject: RequestSubject, mostBytes: number): TransientError {
  return new TransientError(
    new MetaapoError('network', 'the reply is larger than it may be', {
      where: placeOf(subject),
      expected: `at most ${mostBytes} bytes`,
      remedy: 'Check HF_ENDPOINT and the proxy: what answers there is no sound hub',
    }),
  );
}

/** Repository, revision and hub in words. */
export function placeOf({ repository, revision, endpoint }: RequestSubject): string {
  return `${repository.type} ${repository.name} (revision ${revision}) at ${endpoint}`;
}
