import { connectionError, type RequestSubject, statusError, timeoutError, unreadableError } from './http-errors.js';
import { onAbort } from './on-abort.js';

/** One attempt at a request. */
export interface Attempt {
  readonly subject: RequestSubject;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Time for the whole exchange, the last byte of the reply included. */
  readonly timeoutMs: number;
  /** What the text of a successful reply means. */
  readonly parse: (text: string) => unknown;
}

/**
 * The parsed reply to one attempt.
 * @throws TransientError for a failure that may pass, MetaapoError for a refusal, the signal's reason when it is aborted
 */
export async function exchange(attempt: Attempt, signal: AbortSignal | undefined): Promise<unknown> {
  const { reply, text } = await transfer(attempt, signal);
  if (!reply.ok) throw statusError(attempt.subject, reply, text);
  try {
    return attempt.parse(text);
  } catch {
    throw unreadableError(attempt.subject, reply.status, text);
  }
}

async function transfer(
  { subject, method, headers, body, timeoutMs }: Attempt,
  signal: AbortSignal | undefined,
): Promise<{ readonly reply: Response; readonly text: string }> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const forget = onAbort(signal, () => stop.abort(signal?.reason));
  try {
    signal?.throwIfAborted();
    const init = { method, headers, body: body ?? null, redirect: 'manual', signal: stop.signal } as const;
    const reply = await fetch(subject.address, init);
    return { reply, text: await reply.text() };
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw stop.signal.aborted ? timeoutError(subject, timeoutMs) : connectionError(subject, cause);
  } finally {
    clearTimeout(timer);
    forget();
  }
}
