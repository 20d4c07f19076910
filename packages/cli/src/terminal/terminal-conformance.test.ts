import { describeTracker } from '@metaapo/testing';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { terminal } from './terminal-tracker.js';

beforeAll(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(() => void vi.restoreAllMocks());

describeTracker({ describe, it }, terminal, { name: 'terminal' });
