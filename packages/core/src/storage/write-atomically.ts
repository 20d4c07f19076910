import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from './make-directory.js';
import { putInPlace } from './put-in-place.js';

/** Writes a file so that a reader sees the old one or the whole new one, also after a crash or a power cut. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  await makeDirectory(dirname(file));
  await putInPlace(file, async (temporary) => {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}
