import { expect, it } from 'vitest';
import { MetaapoError } from '../contracts/index.js';
import { TransientError } from './http-errors.js';
import { type UntilDoneOptions, untilDone } from './until-done.js';

const passing = (retryAfterMs?: number) =>
  new TransientError(new MetaapoError('network', 'not yet', { where: 'here' }), retryAfterMs);

/** What becomes of an attempt that fails so often, and how often it was made. */
async function tried(failures: number, options: Partial<UntilDoneOptions> = {}) {
  let attempts = 0;
  const attempt = async (): Promise<string> => {
    attempts += 1;
    if (attempts <= failures) throw passing();
    return 'done';
  };
  const result = await untilDone(attempt, { mostFailures: 3, retryDelayMs: 0, ...options }).catch(
    ({ message }: Error) => message,
  );
  return [result, attempts];
}

it('is tried again, and given up after so many failures in a row', async () => {
  expect(await tried(2)).toEqual(['done', 3]);
  expect(await tried(9)).toEqual(['here: not yet.', 3]);
});

it('is tried on as long as it gets on', async () => {
  let bytes = 0;
  expect(await tried(9, { progress: () => (bytes += 600) })).toEqual(['here: not yet.', 3]);
  bytes = 0;
  expect(await tried(9, { progress: () => (bytes += 2000) })).toEqual(['done', 10]);
});

it('says how long it waits, as the server asks, and ends with the reason of a signal', async () => {
  const waits: number[] = [];
  const stop = new AbortController();
  const attempt = () => Promise.reject(passing(600_000));
  const onWait = (restMs: number): void => {
    waits.push(restMs);
    stop.abort(new Error('enough'));
  };
  const ended = untilDone(attempt, { mostFailures: 3, retryDelayMs: 0, onWait, signal: stop.signal });
  await expect(ended).rejects.toThrow();
  expect(waits).toEqual([600_000]);
});

it('leaves other errors alone', async () => {
  const own = new TypeError('a fault');
  await expect(untilDone(() => Promise.reject(own), { mostFailures: 3, retryDelayMs: 0 })).rejects.toBe(own);
});
