import { TransientError } from './http-errors.js';
import { onAbort } from './on-abort.js';
import { forgetFailures, isDown, isFree, newServerLoad, restAfterFailure, type ServerLoad } from './server-load.js';

/** How requests are shared and tried again. */
export interface RequestQueueOptions<Task, Result> {
  /** Number of servers; `attempt` knows them as 0 to `servers` - 1. */
  readonly servers: number;
  /** Most requests under way at one server. */
  readonly concurrency: number;
  /** Times that a server tries a request again; after as many failures in a row and one more it counts as down. */
  readonly retries: number;
  /** Rest of a server after a failure, in milliseconds; it doubles each time. */
  readonly retryDelayMs: number;
  /** Tries a request once; throws {@link TransientError} for what may pass. */
  readonly attempt: (server: number, task: Task, signal: AbortSignal | undefined) => Promise<Result>;
}

/** While something waits, the queue looks again after this time at the latest, whatever else wakes it. */
const LONGEST_LOOK_MS = 1000;

interface Job<Task, Result> {
  readonly task: Task;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
  /** Failures by server. */
  readonly failures: number[];
}

/**
 * A queue that several servers work on: each takes the next request as soon as it has a free place, so a fast one gets
 * more of them. A request that failed goes first to a server that has not failed it; it is given up when no server is
 * left that may try it. Rejects with the signal's reason as soon as it is aborted.
 */
export function createRequestQueue<Task, Result>(
  options: RequestQueueOptions<Task, Result>,
): (task: Task, signal?: AbortSignal) => Promise<Result> {
  const { concurrency, retries, attempt } = options;
  const servers = Array.from({ length: options.servers }, (_, index) => newServerLoad(index));
  const waiting: Job<Task, Result>[] = [];
  let timer: NodeJS.Timeout | undefined;

  const isFresh = (job: Job<Task, Result>, { index }: ServerLoad): boolean => job.failures[index] === 0;
  const mayTry = (job: Job<Task, Result>, { index }: ServerLoad): boolean => job.failures[index]! <= retries;
  const isHopeless = (job: Job<Task, Result>): boolean =>
    servers.every((server) => isDown(server, retries) || !mayTry(job, server));
  const suits = (job: Job<Task, Result>, server: ServerLoad): boolean =>
    isFresh(job, server) ||
    (mayTry(job, server) && !servers.some((other) => isFresh(job, other) && !isDown(other, retries)));

  /** The idlest server that is free at a time and has something to do, and what. */
  const nextServing = (nowMs: number): { readonly server: ServerLoad; readonly job: Job<Task, Result> } | undefined => {
    const free = servers.filter((server) => isFree(server, concurrency, nowMs)).sort((a, b) => a.active - b.active);
    for (const server of free) {
      const job = waiting.find((candidate) => suits(candidate, server));
      if (job !== undefined) return { server, job };
    }
    return undefined;
  };

  const giveOut = (): void => {
    clearTimeout(timer);
    // One look at the clock: a rest that ended between two would be neither over nor waited for.
    const nowMs = performance.now();
    for (let next = nextServing(nowMs); next !== undefined; next = nextServing(nowMs)) {
      takeOut(waiting, next.job);
      void serve(next.server, next.job);
    }
    if (waiting.length === 0) return;
    const rests = servers.map(({ restUntilMs }) => Math.ceil(restUntilMs - nowMs)).filter((rest) => rest > 0);
    timer = setTimeout(giveOut, Math.min(...rests, LONGEST_LOOK_MS));
  };

  const serve = async (server: ServerLoad, job: Job<Task, Result>): Promise<void> => {
    const startedMs = performance.now();
    server.active++;
    try {
      job.resolve(await attempt(server.index, job.task, job.signal));
      server.failures = 0;
    } catch (error) {
      if (error instanceof TransientError && !job.signal?.aborted) {
        restAfterFailure(server, error.retryAfterMs, startedMs, options);
        putBack(server, job, error);
      } else job.reject(error);
    } finally {
      server.active--;
      giveOut();
    }
  };

  const putBack = (server: ServerLoad, job: Job<Task, Result>, failure: TransientError): void => {
    job.failures[server.index]!++;
    waiting.unshift(job);
    for (const hopeless of waiting.filter(isHopeless)) {
      takeOut(waiting, hopeless);
      hopeless.reject(failure.final);
    }
  };

  return async (task, signal) => {
    signal?.throwIfAborted();
    if (servers.every((server) => isDown(server, retries))) servers.forEach(forgetFailures);
    const failures = new Array<number>(servers.length).fill(0);
    let forget = (): void => undefined;
    try {
      return await new Promise<Result>((resolve, reject) => {
        const job: Job<Task, Result> = { task, signal, resolve, reject, failures };
        forget = onAbort(signal, () => {
          takeOut(waiting, job);
          reject(signal?.reason);
        });
        waiting.push(job);
        giveOut();
      });
    } finally {
      forget();
    }
  };
}

function takeOut<Item>(list: Item[], item: Item): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
