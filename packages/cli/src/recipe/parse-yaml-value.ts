import { MetaapoError, refuseKeys } from '@metaapo/core/contracts';
import { type Document, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';

/** Characters of a YAML text, values in it once aliases are resolved, and how deep they lie. */
const [MOST_CHARACTERS, MOST_VALUES, DEPTH] = [2 ** 20, 100_000, 64];

/**
 * A YAML document, to be changed before its value is taken.
 * @param where what the text is from, for messages
 * @throws MetaapoError with code `config`, with line and column, when it is no YAML or too long
 */
export function parseYamlDocument(where: string, text: string): Document {
  requireShort(where, text);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [fault] = document.errors;
  if (fault === undefined) return document;
  const { line, col } = lineCounter.linePos(fault.pos[0]);
  throw new MetaapoError('config', fault.message.split(/ at line|\n/)[0]!, {
    where: `${where}, line ${line}, column ${col}`,
    remedy: 'Correct the YAML',
  });
}

function requireShort(where: string, text: string): void {
  if (text.length <= MOST_CHARACTERS) return;
  throw new MetaapoError('config', 'the YAML is too long', {
    where,
    expected: `at most ${MOST_CHARACTERS} characters`,
    got: `${text.length}`,
    remedy: 'Leave out what is no setting',
  });
}

/**
 * The value of a YAML document as JSON has values: finite numbers, text, lists, and objects with keys of their own.
 * @throws MetaapoError with code `config` for anything else, for a key, which belongs into the environment, and for aliases that are unknown, endless or too many
 */
export function plainValue(where: string, document: Document): unknown {
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    throw refused(where, `an alias cannot be resolved: ${(cause as Error).message.split('\n')[0]}`, cause);
  }
  let left = MOST_VALUES;
  const check = (one: unknown, depth: number): void => {
    left -= 1;
    if (left < 0 || depth > DEPTH) throw refused(where, 'it holds too many values, or an alias of itself');
    if (typeof one === 'number' && !Number.isFinite(one)) throw refused(where, `${one} is no finite number`);
    if (['bigint', 'symbol', 'function'].includes(typeof one)) throw refused(where, 'a value is no plain one');
    if (typeof one !== 'object' || one === null) return;
    if (one instanceof Date || one instanceof Uint8Array || one instanceof Map || one instanceof Set) {
      throw refused(where, 'a value is no plain one');
    }
    if (Object.hasOwn(one, '__proto__')) throw refused(where, '__proto__ is no key');
    for (const inner of Object.values(one)) check(inner, depth + 1);
  };
  check(value, 0);
  refuseKeys(where, value);
  return value;
}

function refused(where: string, summary: string, cause?: unknown): MetaapoError {
  return new MetaapoError('config', summary, {
    where,
    expected: 'numbers, text, lists, and keys with values',
    ...(cause !== undefined && { cause }),
    remedy: 'Write the values out',
  });
}

/** Where a recipe has values that a template prints as they are written. */
const PRINTED = ['data', 'templateArguments'];

/**
 * Refuses whole numbers that are written as floats where a chat template prints them: it would write 1 for 1.0.
 * @param path of the value in a recipe
 * @throws MetaapoError with code `config` for the first
 */
export function refuseWholeFloats(where: string, document: Document, path: readonly string[] = []): void {
  visit(document, {
    Scalar(role, { value, source = '' }, above) {
      if (role === 'key') return;
      const keys = above.flatMap((node) =>
        isPair(node) ? [String(isScalar(node.key) ? node.key.value : node.key)] : [],
      );
      const place = [...path, ...keys];
      const isPrinted = PRINTED.every((key, index) => place[index] === key);
      if (!isPrinted || typeof value !== 'number' || !Number.isInteger(value) || !/[.eE]/.test(source)) return;
      if (/^[-+]?0[xo]/.test(source)) return;
      throw new MetaapoError('config', 'a whole number is written as a float, which chat templates print otherwise', {
        where: `${where}, ${place.join('.')}`,
        expected: 'an integer, a number with decimals, or a text',
        got: source,
        remedy: `Write ${value} where the template is to print that, or '${source}' as a text`,
      });
    },
  });
}

/**
 * A YAML value out of a text.
 * @throws MetaapoError with code `config` that names its place when it is no YAML, or no plain value
 */
export function parseYaml(where: string, text: string): unknown {
  return plainValue(where, parseYamlDocument(where, text));
}

/**
 * A YAML value out of a flag.
 * @param path of the value in a recipe, where it is one of it
 * @throws MetaapoError with code `config` that names the flag when it is no YAML, or no plain value
 */
export function parseYamlValue(flag: string, text: string, path: readonly string[] = []): unknown {
  requireShort(flag, text);
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (fault === undefined) {
    refuseWholeFloats(flag, document, path);
    return plainValue(flag, document);
  }
  throw new MetaapoError('config', `the value is no YAML: ${fault.message.split(/ at line|\n/)[0]}`, {
    where: flag,
    expected: 'a value such as 3, name, [a, b] or {id: dpo, beta: 0.1}',
    // The text itself may hold a secret, which is looked for in values alone.
    got: `${text.length} characters`,
    remedy: 'Close what is open, and quote the value for the shell',
  });
}
