import { createRequire } from 'node:module';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';

/** Texts to encode, or a tokenizer.json to load, for the thread that holds the native library. */
export type NativeRequest =
  | { readonly load: string; readonly key: string }
  | { readonly texts: readonly string[]; readonly key: string; readonly addSpecialTokens: boolean };

/** `[tokens]` ids of all texts, one after another, and `[texts]` their counts. */
export interface NativeReply {
  readonly ids: Int32Array;
  readonly lengths: Int32Array;
}

type Answer = { readonly number: number } & (NativeReply | { readonly error: string });

/** Longest wait for an answer in place, in milliseconds: a thread that died gives none. */
const LONGEST_WAIT = 120_000;

/**
 * A thread that holds the native library `tokenizers`, whose calls are asynchronous: batches are encoded beside the event
 * loop, on all cores, and a single text can be waited for in place.
 */
export class NativeThread {
  static #shared: NativeThread | undefined;

  /** The one thread of this process; `undefined` where the library is not installed. */
  static shared(): NativeThread | undefined {
    if (NativeThread.#shared) return NativeThread.#shared;
    const library = libraryPath();
    if (library !== undefined) NativeThread.#shared = new NativeThread(library);
    return NativeThread.#shared;
  }

  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, { resolve(reply: NativeReply): void; reject(error: Error): void }>();
  /** Of the last request; those that are waited for in place leave it in the flag when they are answered. */
  #number = 0;

  private constructor(library: string) {
    const { port1, port2 } = new MessageChannel();
    this.#worker = new Worker(THREAD, {
      eval: true,
      workerData: { library, port: port2, flag: this.#flag },
      transferList: [port2],
    });
    this.#port = port1;
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (error: Error) => this.#fail(error));
  }

  /** The answer to a request; the process stays alive until it is there. */
  ask(request: NativeRequest): Promise<NativeReply> {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ ...request, number });
    });
  }

  /** The answer to a request, waited for in place. */
  askNow(request: NativeRequest): NativeReply {
    const number = ++this.#number;
    this.#worker.postMessage({ ...request, number, isAwaited: true });
    const answer = this.#waitFor(number);
    if (answer === undefined) throw new Error('the thread of the native tokenizers does not answer');
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  }

  /** The answer with this number. Being woken says nothing: the thread may have meant the wait before, only now. */
  #waitFor(number: number): Answer | undefined {
    const end = performance.now() + LONGEST_WAIT;
    for (let seen = Atomics.load(this.#flag, 0); seen !== number; seen = Atomics.load(this.#flag, 0)) {
      const left = end - performance.now();
      if (left <= 0) return undefined;
      Atomics.wait(this.#flag, 0, seen, left);
    }
    for (;;) {
      const answer = receiveMessageOnPort(this.#port)?.message as Answer | undefined;
      // One that came too late for its own request is nobody's any more.
      if (answer === undefined || answer.number === number) return answer;
    }
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    NativeThread.#shared = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function libraryPath(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('tokenizers');
  } catch {
    return undefined;
  }
}

/** What the thread runs: plain CommonJS, so that it needs no file of its own in a bundle. */
const THREAD = `
const { parentPort, workerData: { library, port, flag } } = require('node:worker_threads');
const tokenizers = new Map();
async function answer({ load, key, texts, addSpecialTokens }) {
  if (load !== undefined) {
    const { Tokenizer } = require(library);
    if (!tokenizers.has(key)) tokenizers.set(key, Tokenizer.fromString(load));
    return { ids: new Int32Array(0), lengths: new Int32Array(0) };
  }
  const encodings = await tokenizers.get(key).encodeBatch(texts, { addSpecialTokens });
  const rows = encodings.map((encoding) => encoding.getIds());
  const lengths = Int32Array.from(rows, (row) => row.length);
  const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  for (const row of rows) {
    ids.set(row, start);
    start += row.length;
  }
  return { ids, lengths };
}
parentPort.on('message', async ({ number, isAwaited, ...request }) => {
  const reply = await answer(request).catch((error) => ({ error: String(error && error.message || error) }));
  const moved = reply.ids ? [reply.ids.buffer, reply.lengths.buffer] : [];
  if (!isAwaited) return parentPort.postMessage({ number, ...reply }, moved);
  port.postMessage({ number, ...reply }, moved);
  Atomics.store(flag, 0, number);
  Atomics.notify(flag, 0);
});
`;
