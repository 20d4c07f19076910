import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLeftBehind, ownedName } from '../../owned-directory.js';

const PREFIX = 'metaapo-compiled-';

/**
 * What `use` makes of a directory that holds a SavedModel; the directory is gone afterwards. Directories that processes
 * of this machine left behind when they were killed are removed first.
 */
export function withTemporaryModel<Result>(savedModel: Uint8Array, use: (directory: string) => Result): Result {
  removeLeftovers();
  const directory = mkdtempSync(join(tmpdir(), ownedName(PREFIX)));
  try {
    writeFileSync(join(directory, 'saved_model.pb'), savedModel);
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const directory = join(tmpdir(), name);
    if (isLeftBehind(directory, PREFIX)) rmSync(directory, { recursive: true, force: true });
  }
}
