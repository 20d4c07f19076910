import { backoffMs } from './retry-delay.js';

/** Rest of a server that failed too often while others serve, before it is tried again. */
const DOWN_REST_MS = 60_000;

/** What one server is doing, and how it fared. */
export interface ServerLoad {
  readonly index: number;
  /** Requests under way. */
  active: number;
  /** Failures without a success since. */
  failures: number;
  /** When the last of them ended, and when the server may be asked again; as `performance.now()` counts. */
  failedAtMs: number;
  restUntilMs: number;
}

/** A server that was asked nothing yet. */
export function newServerLoad(index: number): ServerLoad {
  return { index, active: 0, failures: 0, failedAtMs: 0, restUntilMs: 0 };
}

/** True when a server failed more often in a row than `retries`. */
export function isDown({ failures }: ServerLoad, retries: number): boolean {
  return failures > retries;
}

/** True when a server may take a request at a time: after a failure one at once, until it answers. */
export function isFree(server: ServerLoad, concurrency: number, nowMs: number): boolean {
  return server.active < (server.failures > 0 ? 1 : concurrency) && server.restUntilMs <= nowMs;
}

/**
 * Lets a server rest after a failure.
 * @param askedMs rest that it asked for itself
 * @param startedMs begin of the attempt: attempts that were under way together fail for one reason and count once
 */
export function restAfterFailure(
  server: ServerLoad,
  askedMs: number | undefined,
  startedMs: number,
  { retries, retryDelayMs }: { readonly retries: number; readonly retryDelayMs: number },
): void {
  const now = performance.now();
  if (startedMs >= server.failedAtMs) {
    server.failures++;
    server.failedAtMs = now;
  }
  const restMs = askedMs ?? backoffMs(server.failures, retryDelayMs);
  const least = isDown(server, retries) ? DOWN_REST_MS : 0;
  server.restUntilMs = Math.max(server.restUntilMs, now + Math.max(restMs, least));
}

/** Forgets the failures of a server. */
export function forgetFailures(server: ServerLoad): void {
  server.failures = 0;
  server.restUntilMs = 0;
}
