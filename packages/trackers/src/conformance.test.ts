import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeTracker } from '@metaapo/testing';
import { afterAll, describe, it } from 'vitest';
import { tensorboard } from './index.js';

const root = mkdtempSync(join(tmpdir(), 'metaapo-events-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeTracker({ describe, it }, () => tensorboard({ directory: mkdtempSync(join(root, 'run-')) }), {
  name: 'tensorboard',
});
