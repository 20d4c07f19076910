import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { onPath } from './failed-path.js';
import { requireHeld } from './held-directories.js';
import { syncName } from './synced.js';

/** Puts a file that `make` makes elsewhere, and has on the disk, in the place of the old one. A failure leaves that as it was. */
export async function putInPlace<Result>(file: string, make: (temporary: string) => Promise<Result>): Promise<Result> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const result = await make(temporary);
    requireHeld(file);
    await rename(temporary, file);
    await syncName(file);
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw onPath(error, file, temporary);
  }
}
