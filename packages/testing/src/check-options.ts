import { ConformanceError } from './conformance-error.js';
import type { PartFlags } from './test-runner.js';

const KEBAB_CASE = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** What every part has beside its functions. */
export interface PartFace {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Passes when the id is kebab-case and the options are frozen to the bottom and survive JSON.
 * @param kind the kind of the part, for messages, e.g. `loss`
 * @throws ConformanceError that names the option at fault
 */
export async function checkOptions(kind: string, part: PartFace, flags: PartFlags = {}): Promise<void> {
  if (typeof part.id !== 'string' || !KEBAB_CASE.test(part.id)) {
    throw new ConformanceError(kind, `its id is not kebab-case, got ${JSON.stringify(part.id)}`);
  }
  const name = `${kind} ${part.id}`;
  if (!isPlainObject(part.options)) throw new ConformanceError(name, 'its options are not a plain object');
  const lost = notJson(part.options, 'options');
  if (lost !== undefined) throw new ConformanceError(name, `${lost} does not survive JSON`);
  const open = flags.hasFrozenOptions === false ? undefined : notFrozen(part.options, 'options');
  if (open !== undefined) throw new ConformanceError(name, `${open} is not frozen`);
}

/** Path of the first value that JSON would lose or change; keys whose value is `undefined` count as absent. */
function notJson(value: unknown, path: string): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path;
  if (Array.isArray(value)) return firstPath(value.entries(), path, notJson);
  if (!isPlainObject(value)) return path;
  const present = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return firstPath(present, path, notJson);
}

function notFrozen(value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.isFrozen(value) ? firstPath(Object.entries(value), path, notFrozen) : path;
}

function firstPath(
  entries: Iterable<[number | string, unknown]>,
  path: string,
  find: (value: unknown, path: string) => string | undefined,
): string | undefined {
  for (const [key, inner] of entries) {
    const found = find(inner, `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
