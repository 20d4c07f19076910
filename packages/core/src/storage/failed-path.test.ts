import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { replaceDirectory } from './replace-directory.js';

it.skipIf(!existsSync('/dev/full'))('is the one that was to be written, where a disk is full', async () => {
  const home = mkdtempSync(join(tmpdir(), 'metaapo-full-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const target = join(home, 'model');
  const full = async (): Promise<void> => {
    const handle = await open('/dev/full', 'w');
    await handle.writeFile('weights').finally(() => handle.close());
  };
  await expect(replaceDirectory(target, full)).rejects.toMatchObject({ code: 'ENOSPC', path: target });
  const inside = (fresh: string): Promise<void> => writeFile(join(fresh, 'nowhere', 'a'), '1');
  await expect(replaceDirectory(target, inside)).rejects.toMatchObject({
    code: 'ENOENT',
    path: join(target, 'nowhere', 'a'),
  });
});
