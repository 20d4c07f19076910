import { setTimeout as wait } from 'node:timers/promises';
import { TransientError } from './http-errors.js';
import { backoffMs } from './retry-delay.js';
import { LEAST_BYTES } from './with-reply.js';

/** How something is tried again. */
export interface UntilDoneOptions {
  /** Failures in a row without progress after which it is given up, from 1. */
  readonly mostFailures: number;
  /** Wait before the second attempt in milliseconds; it doubles each time, up to 30 s. */
  readonly retryDelayMs: number;
  /** Bytes so far: an attempt that brought a kilobyte more counts as the first failure. */
  readonly progress?: (() => number) | undefined;
  /** Hears of each wait. */
  readonly onWait?: ((restMs: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The result of an attempt that is repeated while its failures may pass, after the wait that a server asks for.
 * @param attempt throws {@link TransientError} for what may pass
 * @throws MetaapoError of the last failure, the signal's reason when it is aborted, or whatever else the attempt throws
 */
export async function untilDone<Result>(
  attempt: () => Promise<Result>,
  { mostFailures, retryDelayMs, progress = () => 0, onWait, signal }: UntilDoneOptions,
): Promise<Result> {
  let failures = 0;
  for (;;) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      failures = progress() >= before + LEAST_BYTES ? 1 : failures + 1;
      if (failures >= mostFailures) throw error.final;
      const restMs = error.retryAfterMs ?? backoffMs(failures, retryDelayMs);
      onWait?.(restMs);
      await wait(restMs, undefined, signal && { signal });
    }
  }
}
