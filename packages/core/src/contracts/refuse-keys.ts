import { MetaapoError } from './errors.js';
import { isFromEnvironment, withoutKeys, withoutPlainKeys } from './keys.js';

/**
 * Refuses settings that hold a key, which would be written into run directories and reports, wherever it stands: in an
 * address, under a name that says so, or anywhere where it has the form of one.
 * @param where what the settings are of, for messages
 * @throws MetaapoError with code `config` that names the place and shows no value
 */
export function refuseKeys(where: string, settings: unknown): void {
  const path = pathOfKey(settings, []);
  if (path === undefined) return;
  throw new MetaapoError('config', `${path.join('.') || 'the value'} holds a key, or what looks like one`, {
    where,
    expected: 'keys in environment variables alone: they would be in files of the run and in its report',
    remedy:
      `Name the variable in apiKeyVariable; in the query of an address, and in entries of a request’s body, write \${NAME} ` +
      'for its value',
  });
}

/** Deeper than any settings are; what goes on for ever is refused elsewhere. */
const MOST_LEVELS = 64;

function pathOfKey(value: unknown, path: readonly string[]): readonly string[] | undefined {
  if (typeof value === 'string') return isKey(value, path.at(-1) ?? '') ? path : undefined;
  if (typeof value !== 'object' || value === null || path.length > MOST_LEVELS) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const found = pathOfKey(inner, [...path, name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Words of names whose values are keys. */
const KEY_WORDS =
  /(?:^|_)(?:(?:api|access|private|secret|auth|signing)_?key|password|passwd|passphrase|secret|credentials?|authorization|(?:access|auth|api|bearer|secret)_?token)$/;
/** Names that are keys where they stand alone. */
const KEY_NAMES = ['key', 'token', 'auth', 'apikey'];

function isKey(value: string, name: string): boolean {
  if (value === '' || isFromEnvironment(value)) return false;
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
  if (KEY_WORDS.test(words) || KEY_NAMES.includes(words)) return true;
  // In a prompt "password: ..." is a text like another; in a command it is one.
  return (words.endsWith('command') ? withoutKeys : withoutPlainKeys)(value) !== value;
}
