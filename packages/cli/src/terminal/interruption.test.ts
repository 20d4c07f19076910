import { expect, it, vi } from 'vitest';
import { onInterruption } from './interruption.js';

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s asks for the end once, and a closing terminal only once',
  (name) => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { signal, release } = onInterruption();
    process.emit(name, name);
    expect(signal.aborted).toBe(true);
    process.emit('SIGHUP', 'SIGHUP');
    expect(write).toHaveBeenCalledTimes(1);
    release();
    expect(process.listenerCount(name)).toBe(0);
    write.mockRestore();
  },
);
