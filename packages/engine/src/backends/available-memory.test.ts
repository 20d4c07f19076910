import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { availableMemory, machineMemory } from './available-memory.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('is that of the machine, within its limit, for a backend on the CPU', async () => {
  const { total, limit } = machineMemory();
  expect(await availableMemory('tensorflow')).toBe(limit ?? total);
  expect(await availableMemory(undefined, { METAAPO_BACKEND: 'wasm' })).toBe(limit ?? total);
});

it('is that of the largest GPU for the backend of GPUs, and unknown where none can be asked', async () => {
  const command = join(directory, 'nvidia-smi');
  writeFileSync(command, '#!/bin/sh\necho "Small, 550.54.15, 24576, 8.6"\necho "Large, 550.54.15, 81559, 9.0"\n');
  chmodSync(command, 0o755);
  const asked = { METAAPO_BACKEND: 'tensorflow-gpu', PATH: `${directory}:${process.env.PATH}` };
  expect(await availableMemory(undefined, asked)).toBe(81_559 * 2 ** 20);
  expect(await availableMemory('tensorflow-gpu', { PATH: join(directory, 'nowhere') })).toBeUndefined();
});
