import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onPath } from './failed-path.js';
import { requireHeld } from './held-directories.js';
import { makeDirectory } from './make-directory.js';
import { syncName } from './synced.js';

/** Writes a file so that a reader sees the old one or the whole new one, also after a crash or a power cut. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  await makeDirectory(dirname(file));
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    requireHeld(file);
    await rename(temporary, file);
    await syncName(file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw onPath(error, file, temporary);
  }
}
