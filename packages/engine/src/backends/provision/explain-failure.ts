import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';

const OUT_OF_SPACE = /ENOSPC|no space left on device/i;
const UNTOUCHED = 'The installation that was there before is untouched';

/**
 * Turns whatever stopped an installation into one paragraph that says what to do.
 * @param where the file or directory that was being made
 */
export function explainFailure(error: unknown, where: string): MetaapoError {
  const message = error instanceof Error ? error.message : String(error);
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const at = path ?? where;
  if (error instanceof Error && error.name === 'AbortError') {
    return new MetaapoError('interrupted', 'The installation was interrupted', {
      where: at,
      remedy: `Run the command again. ${UNTOUCHED}`,
      cause: error,
    });
  }
  if (OUT_OF_SPACE.test(message)) {
    const remedy = 'Free some space (2 GB, with --gpu 12 GB), or let METAAPO_HOME name a directory on a larger disk';
    return failure('The disk is full', at, firstLine(message), remedy, error);
  }
  // Node reports a read-only disk as ENOENT when it makes directories recursively.
  const isReadOnly = code === 'ENOENT' && syscall === 'mkdir';
  // Windows refuses to move a library that a process has open as if it were not allowed.
  if (process.platform === 'win32' && (code === 'EPERM' || code === 'EBUSY')) {
    const remedy = 'End the processes that use this backend, then run the command again';
    return failure('This is in use, or cannot be written to', at, firstLine(message), remedy, error);
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || isReadOnly) {
    const remedy =
      'Run the command as the owner of this directory, or let METAAPO_HOME name one that can be written to';
    return failure('This place cannot be written to', at, firstLine(message), remedy, error);
  }
  if (isMetaapoError(error)) return error;
  return failure('The backend could not be installed', at, firstLine(message), 'Run the command again', error);
}

/** An error of the installation: one paragraph with a remedy. */
export function failure(summary: string, where: string, got: string, remedy: string, cause?: unknown): MetaapoError {
  return new MetaapoError('backend', summary, {
    where,
    got,
    remedy: `${remedy.replace(/\.$/, '')}. ${UNTOUCHED}`,
    ...(cause !== undefined && { cause }),
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.trim().slice(0, 500);
}
