import { isMetaapoError, MetaapoError, plainText, withoutKeys } from '@metaapo/core/contracts';
import { writeCrashFile } from './crash-file.js';

/** Exit code of a failure: 130 for an interruption, 1 for a fault of ours, 2 for anything the user can mend. */
export function exitCodeOf(error: unknown): number {
  const explained = explain(error);
  if (!isMetaapoError(explained)) return 1;
  if (explained.code === 'interrupted') return 130;
  return explained.code === 'internal' ? 1 : 2;
}

const MOST_CHARACTERS = 300;

/** Prints a failure on stderr: one paragraph, or one line and the place of a crash file where the fault is ours. */
export function reportError(error: unknown): void {
  const explained = explain(error);
  const isOurs = !isMetaapoError(explained) || explained.code === 'internal';
  process.stderr.write(`metaapo: ${isOurs ? faultOfOurs(explained) : withoutSecrets(explained.message)}\n`);
}

function faultOfOurs(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = withoutSecrets(text).replaceAll(/\s+/g, ' ').slice(0, MOST_CHARACTERS);
  const file = writeCrashFile(error, withoutSecrets);
  const place = file === undefined ? 'No file for the details could be written' : `The details are in ${file}`;
  return `This should not happen: ${line}. ${place}; please report it with them, it is a fault of metaapo.`;
}

/**
 * The text as it may be written or printed: without the values of secret environment variables, without keys in addresses
 * and without control characters.
 */
export function withoutSecrets(text: string): string {
  const secrets = Object.entries(process.env)
    .filter(([name, value]) => /TOKEN|KEY|SECRET|PASSWORD/.test(name) && value !== undefined && value.length >= 8)
    .map(([, value]) => value!);
  const clean = secrets.reduce((left, secret) => left.split(secret).join('***'), text);
  return plainText(withoutKeys(clean));
}

const ANOTHER_PLACE = 'Choose another path';
const FILE_IN_THE_WAY = ['there is a file where a directory should be', `${ANOTHER_PLACE}, or move the file away`];
const NO_PERMISSION = ['there is no permission to use it', `${ANOTHER_PLACE}, or change its owner or permissions`];
const NO_ROOM = ['the disk is full', 'Free some space, or choose a path on another disk'];

/** What failures of the file system mean to the user, by Node's code: summary and remedy. */
const FILE_FAULTS: Readonly<Record<string, readonly string[]>> = {
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: ['the disk can only be read', ANOTHER_PLACE],
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
  EEXIST: FILE_IN_THE_WAY,
  ENOTDIR: FILE_IN_THE_WAY,
  EISDIR: ['there is a directory where a file should be', ANOTHER_PLACE],
  ENAMETOOLONG: ['the name is too long', ANOTHER_PLACE],
  ENOENT: ['there is no such file or directory, or none can be made', `${ANOTHER_PLACE}, and check TMPDIR`],
  ELOOP: ['its links lead round in a circle', ANOTHER_PLACE],
  EINVAL: ['the name cannot be one of a file', ANOTHER_PLACE],
  EBUSY: ['another program is using it', ANOTHER_PLACE],
  EMFILE: ['too many files are open', 'Raise the limit with `ulimit -n`'],
  EIO: ['the disk fails', 'Check the disk, and restore from a copy what it lost'],
};

/** An interruption or a failure of the file system as an error with a remedy; anything else as it is. */
function explain(error: unknown): unknown {
  if (isMetaapoError(error) || !(error instanceof Error)) return error;
  if (error.name === 'AbortError') {
    return new MetaapoError('interrupted', 'stopped; nothing was written', { where: 'interrupted', cause: error });
  }
  if ((error as NodeJS.ErrnoException).code === 'ERR_INVALID_ARG_VALUE' && error.message.includes('null bytes')) {
    const fault = { where: 'a path', expected: 'no character with the number 0', remedy: ANOTHER_PLACE, cause: error };
    return new MetaapoError('config', 'the name cannot be one of a file', fault);
  }
  const { code, path, dest, syscall } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const fault = code === undefined || syscall === undefined ? undefined : FILE_FAULTS[code];
  if (fault === undefined) return error;
  const [summary, remedy] = fault as [string, string];
  return new MetaapoError('config', summary, { where: dest ?? path ?? syscall!, got: code!, remedy, cause: error });
}
