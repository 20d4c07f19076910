import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { requireSealed, sealDirectory, writeArrays } from './index.js';

const file = scratchDirectory();

describe('a sealed directory', () => {
  const sealed = async (): Promise<string> => {
    const directory = mkdtempSync(file('sealed-'));
    mkdirSync(join(directory, 'inner'));
    await writeArrays(join(directory, 'inner', 'a.safetensors'), { a: { shape: [1], values: Float32Array.of(1) } });
    writeFileSync(join(directory, 'progress.json'), '{"step":1}');
    await sealDirectory(directory);
    return directory;
  };

  it('is accepted as it was written', async () => {
    const directory = await sealed();
    await expect(requireSealed(directory)).resolves.toBeUndefined();
  });

  it.each([
    ['a changed file', (at: string) => writeFileSync(join(at, 'progress.json'), '{"step":2}'), /progress\.json/],
    ['a file too many', (at: string) => writeFileSync(join(at, 'more.json'), ''), /more\.json/],
    ['a file too few', (at: string) => rmSync(join(at, 'progress.json')), /progress\.json.*no such file/],
    ['no checksums', (at: string) => rmSync(join(at, 'checksums.json')), /checksums\.json/],
  ])('is refused with %s, with what to delete and what is lost', async (_, change, where) => {
    const directory = await sealed();
    change(directory);
    await expect(requireSealed(directory)).rejects.toThrow(where);
    await expect(requireSealed(directory)).rejects.toThrow(/Restore.*or delete it: .*begins/);
  });

  it("is refused with another run's numbers of the same shape", async () => {
    const directory = await sealed();
    await writeArrays(join(directory, 'inner', 'a.safetensors'), { a: { shape: [1], values: Float32Array.of(2) } });
    await expect(requireSealed(directory)).rejects.toThrow(/a\.safetensors/);
  });
});
