import { MetaapoError } from '../contracts/index.js';
import { shownAddress } from './address.js';
import { retryAfterMs } from './retry-delay.js';
import type { ToldError } from './told-error.js';
import type { StreamedReply } from './with-reply.js';

/** Most characters of a reply that a message shows. */
const SHOWN = 200;

/** What a request is about, for its errors. */
export interface RequestSubject {
  /** What is reached, e.g. `sampler openai`. */
  readonly service: string;
  readonly address: string;
  /** What a successful reply is, e.g. `a JSON reply`. */
  readonly expected: string;
  readonly apiKeyVariable: string | undefined;
  readonly mask: (text: string) => string;
}

/** A failure that may pass: the request is tried again. */
export class TransientError extends Error {
  /** The error to end with when it does not pass. */
  readonly final: MetaapoError;
  /** Wait that the server asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param final the error to end with when it does not pass
   * @param retryAfterMs wait that the server asks for
   */
  constructor(final: MetaapoError, retryAfterMs?: number) {
    super(final.message, { cause: final });
    this.final = final;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The status of a reply that was no success, as the cause of an error. */
class StatusCause extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** Status of the reply that an error is about; `undefined` where there was none. */
export function statusOf(error: unknown): number | undefined {
  const status = ((error as Error | undefined)?.cause as Partial<StatusCause> | undefined)?.status;
  return typeof status === 'number' ? status : undefined;
}

/** The error of a reply whose status is no success. */
export function statusError(
  subject: RequestSubject,
  reply: Pick<StreamedReply, 'status' | 'headers'>,
  text: string,
): MetaapoError | TransientError {
  const { status } = reply;
  const target = reply.headers.get('location');
  const shown = target === null ? shownText(text, subject.mask) : `a redirection to ${subject.mask(target)}`;
  return errorOfStatus(subject, reply, status, `status ${status}${shown && `: ${shown}`}`);
}

/** The error of a reply with status 200 whose body tells of one. */
export function toldReplyError(
  subject: RequestSubject,
  reply: Pick<StreamedReply, 'status' | 'headers'>,
  { status, told }: ToldError,
): MetaapoError | TransientError {
  const shown = shownText(typeof told === 'string' ? told : JSON.stringify(told), subject.mask);
  return errorOfStatus(subject, reply, status, `an error in a reply with status ${reply.status}: ${shown}`);
}

function errorOfStatus(
  subject: RequestSubject,
  reply: Pick<StreamedReply, 'status' | 'headers'>,
  status: number,
  got: string,
): MetaapoError | TransientError {
  const mayPass = [408, 409, 425, 429].includes(status) || status >= 500;
  const error = failure(subject, mayPass ? 'the server failed' : 'the server refuses the request', {
    got,
    remedy: remedyFor(subject, status),
    cause: new StatusCause(status),
  });
  return mayPass ? new TransientError(error, retryAfterMs(reply.headers.get('retry-after'))) : error;
}

function remedyFor({ apiKeyVariable }: RequestSubject, status: number): string {
  if (status === 401 || status === 403) {
    return apiKeyVariable === undefined
      ? 'Name the environment variable that holds the API key in apiKeyVariable'
      : `Set ${apiKeyVariable} to a key that the server accepts`;
  }
  if (status === 404) return 'Check the address and the name of the model';
  if (status === 429) return 'Lower concurrency, or raise retries';
  if (status >= 500 || status === 408) return "Look into the server's log, then run it again";
  if (status >= 300 && status < 400) return 'Give the address that it points to';
  return 'Change what the reply names';
}

/** The error of a reply that is not readable; the parser's own message quotes the reply unmasked and is left out. */
export function unreadableError(subject: RequestSubject, status: number, text: string): TransientError {
  return new TransientError(
    failure(subject, `the reply is not ${subject.expected}`, {
      got: `status ${status}: ${shownText(text, subject.mask) || 'an empty reply'}`,
      remedy: 'Check that the address is that of an API, and that nothing in between answers for it',
    }),
  );
}

/** The error of a reply that is larger than any that is meant. */
export function largeReplyError(subject: RequestSubject, maxReplyBytes: number): MetaapoError {
  return failure(subject, 'the reply is too large', {
    got: `more than ${maxReplyBytes} bytes`,
    remedy: 'Check that the address is that of the service, and what it answers',
  });
}

/** The error of a request that was not answered in time. */
export function timeoutError(subject: RequestSubject, timeoutMs: number): TransientError {
  return new TransientError(
    failure(subject, 'the server did not answer in time', {
      got: `no whole reply within ${timeoutMs / 1000} s`,
      remedy: 'Raise timeoutSeconds, lower concurrency, or see whether the server hangs',
    }),
  );
}

/** The error of a request that got no reply, or only a part of one. */
export function connectionError(subject: RequestSubject, cause: unknown): TransientError {
  return new TransientError(
    failure(subject, 'the server cannot be reached, or broke the connection', {
      got: subject.mask(reasonOf(cause)),
      remedy: 'Start the server, or correct its address',
    }),
  );
}

function failure(
  { service, address, expected }: RequestSubject,
  summary: string,
  fault: { readonly got: string; readonly remedy: string; readonly cause?: unknown },
): MetaapoError {
  const where = `${service} at ${shownAddress(address)}`;
  return new MetaapoError('network', summary, { where, expected: `${expected} with status 200`, ...fault });
}

/** The begin of a text as a message may show it: on one line, its secrets masked. */
export function shownText(text: string, mask: (text: string) => string): string {
  return mask(text.replace(/\s+/g, ' ').trim()).slice(0, SHOWN);
}

/** Why a request got no reply, in the words of the innermost cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? reasonOf(cause) : error.message;
}
