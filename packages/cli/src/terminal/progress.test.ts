import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { createProgress } from './progress.js';

it('counts what was known before for the share that is done, and not for the time that is left', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const stream = new PassThrough();
    const progress = createProgress('sample', stream as unknown as NodeJS.WriteStream, 90);
    progress.update(90, 100);
    vi.advanceTimersByTime(20_000);
    progress.update(92, 100);
    // Two rows in 20 seconds leave 80 for the other eight.
    expect(stream.read().toString()).toBe('sample 90/100  0.0 s\nsample 92/100  ETA 1 min 20 s\n');
  } finally {
    vi.useRealTimers();
  }
});
