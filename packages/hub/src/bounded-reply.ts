import { ReadableStream } from 'node:stream/web';

/** How much of a reply is read, and how long it may rest. */
export interface ReplyBounds {
  /** Most bytes of the body. */
  readonly mostBytes: number;
  /** Span in which a kilobyte has to arrive, or the end, in milliseconds. */
  readonly stallMs: number;
  /** The error of a larger body. */
  readonly tooLarge: () => Error;
  /** The error of one that stalls. */
  readonly stalled: () => Error;
}

/** Bytes that arrive in every span of a transfer that gets on. */
export const LEAST_BYTES = 1024;

/** A reply with the same head whose body ends with an error once it is too large or stalls. */
export function boundedReply(reply: Response, bounds: ReplyBounds): Response {
  const { status, statusText, headers } = reply;
  const source = reply.body as ReadableStream<Uint8Array> | null;
  const body = source && ReadableStream.from(boundedBody(source, bounds));
  return new Response(body as BodyInit | null, { status, statusText, headers });
}

async function* boundedBody(
  body: ReadableStream<Uint8Array>,
  { mostBytes, stallMs, tooLarge, stalled }: ReplyBounds,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  const watch = new StallWatch(stallMs, stalled);
  let received = 0;
  try {
    for (;;) {
      const { value, done } = await watch.inTime(reader.read());
      if (done) return;
      received += value.length;
      if (received > mostBytes) throw tooLarge();
      watch.heard(value.length);
      yield value;
    }
  } finally {
    watch.end();
    // Also ends the connection where the reading ends early.
    reader.cancel().catch(() => undefined);
  }
}

/** Ends a wait when too little arrives; its clock rests while nobody reads. */
class StallWatch {
  readonly #stallMs: number;
  readonly #stalled: () => Error;
  #timer: NodeJS.Timeout | undefined;
  #left: number;
  #bytes = 0;

  constructor(stallMs: number, stalled: () => Error) {
    this.#stallMs = stallMs;
    this.#left = stallMs;
    this.#stalled = stalled;
  }

  /** The value, or the error of a stall. */
  async inTime<T>(value: Promise<T>): Promise<T> {
    const from = performance.now();
    const late = new Promise<never>((_, reject) => {
      this.#timer = setTimeout(() => reject(this.#stalled()), this.#left);
    });
    try {
      return await Promise.race([value, late]);
    } finally {
      this.end();
      this.#left = Math.max(this.#left - (performance.now() - from), 0);
    }
  }

  /** Counts bytes; enough of them begin a new span. */
  heard(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < LEAST_BYTES) return;
    this.#bytes = 0;
    this.#left = this.#stallMs;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
