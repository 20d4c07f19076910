import { acceptedAt, keysAt } from './describe-options.js';
import { type Fault, MetaapoError } from './errors.js';
import { suggestion } from './nearest.js';
import { refuseKeys } from './refuse-keys.js';
import type { SchemaIssue, StandardSchema } from './standard-schema.js';

/**
 * Checked options of a part with every default filled in, frozen to the bottom. Where they are wrong the message names
 * the option, what the schema accepts and what was given, and for an unknown one the nearest spelling.
 * @param part what they belong to, for messages, e.g. `sampler local`
 * @param schema any schema library's, as long as it answers at once
 * @throws MetaapoError with code `config` for an option that is unknown or not accepted, and for a number that is not
 * finite or a text that holds a key, whatever the schema says of it
 */
export function parseOptions<Output>(part: string, schema: StandardSchema<Output>, given: unknown): Readonly<Output> {
  checkPlain(part, given, []);
  refuseKeys(part, given);
  const result = schema['~standard'].validate(given);
  if (result instanceof Promise) {
    // Some libraries answer so where a check of theirs throws; nobody waits for it.
    result.catch(() => undefined);
    throw new MetaapoError('plugin', 'its options are checked asynchronously', { where: part });
  }
  if (result.issues === undefined) return deepFrozen(result.value);
  throw refusal(part, schema, given, result.issues[0]);
}

/** The same value with every object inside it frozen. */
export function deepFrozen<Value>(value: Value): Readonly<Value> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFrozen(inner);
  return Object.freeze(value);
}

/** What the schema libraries tell of an issue beside its message. */
type Issue = SchemaIssue & { readonly code?: string; readonly keys?: readonly string[] };

function refusal(
  part: string,
  schema: StandardSchema<unknown>,
  given: unknown,
  { message, path: issuePath = [], code, keys }: Issue = { message: 'the options are not accepted' },
): MetaapoError {
  const path = issuePath.map((key) => String(typeof key === 'object' ? key.key : key));
  const where = [part, ...path].join(' ');
  const unknown = code === 'unrecognized_keys' ? keys?.[0] : undefined;
  if (unknown !== undefined) {
    const remedy = suggestion(unknown, keysAt(schema, path));
    return new MetaapoError('config', `unknown option ${unknown}`, { where, remedy });
  }
  const value = valueAt(given, path);
  const expected = code === 'custom' ? undefined : acceptedAt(schema, path);
  if (expected === undefined) return notAccepted(where, message, { got: shown(value) });
  const summary = value === undefined ? 'it is missing' : 'it is not accepted';
  return notAccepted(where, summary, { expected, got: shown(value) });
}

function notAccepted(where: string, summary: string, fault: Pick<Fault, 'expected' | 'got'>): MetaapoError {
  const remedy = 'Correct the option in the recipe or in the call of the factory';
  return new MetaapoError('config', summary, { where, ...fault, remedy });
}

/** Objects inside one another that options may be: recipes are written by hand, and a value inside itself has no end. */
const MOST_LEVELS = 32;

const PLAIN = ['[object Object]', '[object Array]'];

/**
 * Refuses what no schema has to think of: what no recipe can hold, numbers that are not finite, a text that no file
 * system takes, a value inside itself, a key of all objects.
 */
function checkPlain(part: string, value: unknown, path: readonly string[]): void {
  const refuse = (summary: string): never => {
    throw notAccepted([part, ...path].join(' '), summary, { got: shown(value) });
  };
  if (typeof value === 'number' && !Number.isFinite(value)) refuse('it is not a finite number');
  if (typeof value === 'string' && value.includes('\0')) refuse('it holds the character NUL');
  if (typeof value !== 'object' || value === null) return;
  if (!PLAIN.includes(Object.prototype.toString.call(value))) refuse('it is no plain object or list');
  if (path.length === MOST_LEVELS) refuse(`it lies more than ${MOST_LEVELS} levels deep`);
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') refuse('an option cannot have this name');
    checkPlain(part, inner, [...path, key]);
  }
}

function valueAt(given: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], given);
}

/** A value as a message shows it, whatever it is. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  return jsonOf(value) ?? (typeof value === 'object' ? 'an object' : `a ${typeof value}`);
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
