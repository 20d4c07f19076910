import { expect, it, onTestFinished, vi } from 'vitest';
import { MetaapoError } from '../contracts/index.js';
import { TransientError } from './http-errors.js';
import { createRequestQueue } from './request-queue.js';

const failing = async (): Promise<never> => {
  throw new TransientError(new MetaapoError('network', 'busy', { where: 'test' }));
};

it('makes every retry, whenever a rest ends: also between two looks at a clock that runs ahead', async () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    ahead += 2;
    return now() + ahead;
  });
  onTestFinished(() => void clock.mockRestore());
  for (let round = 0; round < 40; round++) {
    const attempt = vi.fn(failing);
    const queue = createRequestQueue({ servers: 1, concurrency: 4, retries: 3, retryDelayMs: 2, attempt });
    await expect(queue({})).rejects.toThrow('busy');
    expect(attempt).toHaveBeenCalledTimes(4);
  }
});
