import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadPlugins } from './load-plugins.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-plugins-'));
const before = process.cwd();
afterAll(() => {
  process.chdir(before);
  rmSync(directory, { recursive: true });
});

it.each(['path', 'fs', 'node:path', 'path/posix'])(
  'takes no file of the working directory for the plugin %s',
  async (name) => {
    process.chdir(directory);
    for (const file of ['path', 'fs', 'node:path']) {
      writeFileSync(join(directory, file), 'globalThis.wasRun = true;');
    }
    await expect(loadPlugins([name])).rejects.toThrow(/module of Node itself/);
    expect(globalThis).not.toHaveProperty('wasRun');
  },
);
