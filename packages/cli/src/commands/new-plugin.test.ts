import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePlugin } from './new-plugin.js';

const example = fileURLToPath(new URL('../../../../examples/plugin-template', import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'metaapo-plugin-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function filesOf(directory: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = paths.map(async (path) => [path.slice(directory.length + 1), await readFile(path, 'utf8')] as const);
  return new Map((await Promise.all(texts)).sort());
}

describe('a new plugin', () => {
  it('is the example of the repository', async () => {
    await writePlugin('loss', 'my-loss', join(root, 'my-loss'));
    const written = await filesOf(join(root, 'my-loss'));
    expect(written.size).toBe(5);
    expect(written).toEqual(await filesOf(example));
  });

  it('bears its name everywhere', async () => {
    await writePlugin('loss', 'two-sided-loss', join(root, 'other'));
    const written = await filesOf(join(root, 'other'));
    expect([...written.keys()]).toContain('src/two-sided-loss.ts');
    const all = [...written.values()].join('\n');
    expect(all).toContain('function twoSidedLoss(options: TwoSidedLossOptions');
    expect(all).not.toMatch(/my-?loss/i);
  });

  it('is refused for another slot, a name that is none, and a directory that exists', async () => {
    await expect(writePlugin('sampler', 'my-sampler', join(root, 's'))).rejects.toMatchObject({ code: 'config' });
    await expect(writePlugin('loss', 'MyLoss', join(root, 'm'))).rejects.toThrow('name such as my-loss');
    await expect(writePlugin('loss', 'my-loss', root)).rejects.toThrow('exists already');
  });
});
