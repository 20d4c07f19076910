import { open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Waits until a file or a directory is on the disk; does nothing where the system cannot do so for directories. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'EISDIR', 'EPERM', 'EBADF', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw error;
    }
  } finally {
    await handle.close();
  }
}

/** Waits until the name of a file is on the disk, as it is in the directory above it. */
export async function syncName(path: string): Promise<void> {
  if (process.platform !== 'win32') await syncPath(dirname(path));
}

/** Waits until a directory is on the disk with everything that is in it. */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  if (process.platform !== 'win32') await syncPath(directory);
}
