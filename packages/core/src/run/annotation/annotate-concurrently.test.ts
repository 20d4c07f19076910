import { expect, it } from 'vitest';
import { annotateConcurrently } from './annotate-concurrently.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

it('annotates every item, many in a call, and a few calls at a time', async () => {
  const calls: number[] = [];
  let [underWay, most] = [0, 0];
  const done: number[] = [];
  await annotateConcurrently<number>(
    async (items) => {
      calls.push(items.length);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      done.push(...items);
    },
    undefined,
    async (add) => {
      add(numbers(100));
      for (const item of [100, 101, 102]) add([item]);
    },
  );
  expect(done.sort((a, b) => a - b)).toEqual(numbers(103));
  expect(Math.max(...calls)).toBe(16);
  expect(calls.length).toBeLessThan(9);
  expect(most).toBe(4);
});

it('aborts the production when a call fails, and throws what failed', async () => {
  let aborted = false;
  const run = annotateConcurrently<number>(
    () => Promise.reject(new Error('the annotation is down')),
    undefined,
    (add, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason);
        });
        add([1]);
      }),
  );
  await expect(run).rejects.toThrow('the annotation is down');
  expect(aborted).toBe(true);
});

it('awaits the calls under way when the production fails, and begins no others', async () => {
  const done: number[] = [];
  const run = annotateConcurrently<number>(
    async (items) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      done.push(...items);
    },
    undefined,
    async (add) => {
      add(numbers(100));
      throw new Error('the sampler is down');
    },
  );
  await expect(run).rejects.toThrow('the sampler is down');
  expect(done).toHaveLength(4 * 16);
});

it('ends the production with the signal', async () => {
  const run = annotateConcurrently<number>(
    async () => undefined,
    AbortSignal.abort('enough'),
    async (_, signal) => signal.throwIfAborted(),
  );
  await expect(run).rejects.toBe('enough');
});
