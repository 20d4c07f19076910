import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'metaapo-compiled-';

/**
 * What `use` makes of a directory that holds a SavedModel; the directory is gone afterwards. Directories that processes
 * left behind when they were killed are removed first.
 */
export function withTemporaryModel<Result>(savedModel: Uint8Array, use: (directory: string) => Result): Result {
  removeLeftovers();
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  try {
    writeFileSync(join(directory, 'saved_model.pb'), savedModel);
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    if (Number.isNaN(owner) || isRunning(owner)) continue;
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
