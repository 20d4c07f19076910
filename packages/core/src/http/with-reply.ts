import { onAbort } from './on-abort.js';

/** A request, and what its reply may take. */
export interface ReplyRequest {
  readonly address: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the origin of the address alone, and never to another one that it redirects to. */
  readonly authorization?: string | undefined;
  readonly body?: string | undefined;
  /** Most redirections that are followed; default 0: they are replies like others. */
  readonly redirects?: number | undefined;
  /** Time for the whole exchange, the last byte of the reply included; default: none. */
  readonly timeoutMs?: number | undefined;
  /** Span in which the reply has to begin, and then a kilobyte has to arrive, or the end; default: none. */
  readonly stallMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Errors of what may go wrong on the way. */
  readonly faults: ReplyFaults;
}

/** What a request ends with that gets no whole reply. */
export interface ReplyFaults {
  /** Its time is over. */
  readonly late: () => Error;
  /** Too little arrives. */
  readonly stalled: () => Error;
  /** The server cannot be reached, or broke the connection. */
  readonly broken: (cause: unknown) => Error;
}

/** A reply whose body is on its way. */
export interface StreamedReply {
  readonly status: number;
  /** True for a status from 200 to 299. */
  readonly ok: boolean;
  readonly headers: Headers;
  /** Origin that it came from, after redirections. */
  readonly origin: string;
  /** The body piece by piece, decompressed; to be read once. Its clock rests while nobody reads. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Bytes that arrive in every span of a transfer that gets on. */
export const LEAST_BYTES = 1024;

/**
 * What is made of the reply to one attempt at a request. The connection is free again when that is done, however much of the
 * body was read.
 * @throws the faults of the request, also while the body is read; the signal's reason when it is aborted; whatever `use`
 * throws
 */
export async function withReply<Result>(
  request: ReplyRequest,
  use: (reply: StreamedReply) => Promise<Result>,
): Promise<Result> {
  const { signal, timeoutMs, faults } = request;
  const way = new Way(request);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => way.end(faults.late), timeoutMs);
  const forget = onAbort(signal, () => way.end(() => signal?.reason as Error));
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    signal?.throwIfAborted();
    const { reply, origin } = await way.inTime(() => reach(request, way.signal));
    reader = reply.body?.getReader();
    const { status, ok, headers } = reply;
    return await use({ status, ok, headers, origin, pieces: piecesOf(reader, way) });
  } finally {
    clearTimeout(timer);
    forget();
    reader?.cancel().catch(() => undefined);
  }
}

const REDIRECTIONS = [301, 302, 303, 307, 308];

async function reach(
  { address, method, headers, authorization, body, redirects = 0 }: ReplyRequest,
  signal: AbortSignal,
): Promise<{ readonly reply: Response; readonly origin: string }> {
  const own = new URL(address).origin;
  let url = new URL(address);
  let isOwn = true;
  for (let left = redirects; ; left--) {
    isOwn &&= url.origin === own;
    const sent = { ...headers, ...(isOwn && authorization !== undefined && { authorization }) };
    const reply = await fetch(url, { method, headers: sent, body: body ?? null, redirect: 'manual', signal });
    const target = left > 0 && REDIRECTIONS.includes(reply.status) ? reply.headers.get('location') : null;
    if (target === null) return { reply, origin: url.origin };
    await reply.body?.cancel();
    url = new URL(target, url);
  }
}

async function* piecesOf(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  way: Way,
): AsyncGenerator<Uint8Array> {
  while (reader !== undefined) {
    const { value, done } = await way.inTime(() => reader.read());
    if (done) return;
    way.heard(value.length);
    yield value;
  }
}

/** The way of a request: who waits for it gets one error, whatever ends it. */
class Way {
  readonly #stop = new AbortController();
  readonly #request: ReplyRequest;
  #left: number | undefined;
  #bytes = 0;
  #fault: (() => Error) | undefined;

  constructor(request: ReplyRequest) {
    this.#request = request;
    this.#left = request.stallMs;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Ends the request with an error, unless it has one. */
  end(fault: () => Error): void {
    this.#fault ??= fault;
    this.#stop.abort();
  }

  /** What arrives, or the error of what comes first. */
  async inTime<Value>(wait: () => Promise<Value>): Promise<Value> {
    const { faults } = this.#request;
    const fromMs = performance.now();
    const timer = this.#left === undefined ? undefined : setTimeout(() => this.end(faults.stalled), this.#left);
    try {
      return await wait();
    } catch (cause) {
      throw this.#fault?.() ?? faults.broken(cause);
    } finally {
      clearTimeout(timer);
      if (this.#left !== undefined) this.#left = Math.max(this.#left - (performance.now() - fromMs), 0);
    }
  }

  /** Counts bytes; enough of them begin a new span. */
  heard(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < LEAST_BYTES) return;
    this.#bytes = 0;
    this.#left = this.#request.stallMs;
  }
}

/** The beginning of a body, and whether more follows: what is compressed is never larger here than it may be. */
export async function bytesOf(
  { pieces }: StreamedReply,
  most: number,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean }> {
  const read: Uint8Array[] = [];
  let left = most;
  for await (const piece of pieces) {
    if (piece.length > left) return { bytes: Buffer.concat([...read, piece.subarray(0, left)]), isCut: true };
    left -= piece.length;
    read.push(piece);
  }
  return { bytes: Buffer.concat(read), isCut: false };
}
