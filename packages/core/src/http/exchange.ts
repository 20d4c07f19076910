import {
  connectionError,
  largeReplyError,
  type RequestSubject,
  statusError,
  timeoutError,
  toldReplyError,
  unreadableError,
} from './http-errors.js';
import { toldError } from './told-error.js';
import { bytesOf, type StreamedReply, withReply } from './with-reply.js';

/** One attempt at a request. */
export interface Attempt {
  readonly subject: RequestSubject;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Time for the whole exchange, the last byte of the reply included. */
  readonly timeoutMs: number;
  /** Most bytes of a reply's body, after it was decompressed. */
  readonly maxReplyBytes: number;
  /** The values in the text of a successful reply: one, or an event each; throws for a text that is none. */
  readonly parse: (text: string) => readonly unknown[];
  /** What the values mean; throws {@link TransientError} or MetaapoError for a reply that cannot be used. */
  readonly read: (values: readonly unknown[]) => unknown;
}

/** Bytes of the body of a reply that is no success; messages show its begin. */
const ERROR_BYTES = 16_384;

/**
 * What the reply to one attempt means. An error that its body tells goes the way of a status that says the same.
 * @throws TransientError for a failure that may pass, MetaapoError for a refusal, the signal's reason when it is aborted
 */
export async function exchange(attempt: Attempt, signal: AbortSignal | undefined): Promise<unknown> {
  const { subject } = attempt;
  const { reply, text } = await transfer(attempt, signal);
  if (!reply.ok) throw statusError(subject, reply, text ?? '');
  if (text === undefined) throw unreadableError(subject, reply.status, 'bytes that are no UTF-8');
  const values = parsed(attempt, reply.status, text);
  for (const value of values) {
    const told = toldError(value);
    if (told !== undefined) throw toldReplyError(subject, reply, told);
  }
  return attempt.read(values);
}

function parsed({ subject, parse }: Attempt, status: number, text: string): readonly unknown[] {
  try {
    return parse(text);
  } catch {
    throw unreadableError(subject, status, text);
  }
}

function transfer(
  { subject, method, headers, body, timeoutMs, maxReplyBytes }: Attempt,
  signal: AbortSignal | undefined,
): Promise<{ readonly reply: StreamedReply; readonly text: string | undefined }> {
  const faults = {
    late: () => timeoutError(subject, timeoutMs),
    stalled: () => timeoutError(subject, timeoutMs),
    broken: (cause: unknown) => connectionError(subject, cause),
  };
  const { address } = subject;
  return withReply({ address, method, headers, body, timeoutMs, signal, faults }, async (reply) => {
    const { bytes, isCut } = await bytesOf(reply, reply.ok ? maxReplyBytes : ERROR_BYTES);
    if (isCut && reply.ok) throw largeReplyError(subject, maxReplyBytes);
    return { reply, text: decoded(bytes, reply.ok) };
  });
}

/** The text of bytes; `undefined` where it has to be exact and they are no UTF-8. */
function decoded(bytes: Uint8Array, isExact: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: isExact }).decode(bytes);
  } catch {
    return undefined;
  }
}
