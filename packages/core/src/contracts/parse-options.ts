import { MetaapoError } from './errors.js';
import type { StandardSchema } from './standard-schema.js';

/**
 * Checked options of a part with every default filled in, frozen to the bottom.
 * @param part what they belong to, for messages, e.g. `sampler local`
 * @param schema any schema library's, as long as it answers at once
 * @throws MetaapoError with code `config` for an option that is unknown or not accepted
 */
export function parseOptions<Output>(part: string, schema: StandardSchema<Output>, given: unknown): Readonly<Output> {
  const result = schema['~standard'].validate(given);
  if (result instanceof Promise) {
    throw new MetaapoError('plugin', 'its options are checked asynchronously', { where: part });
  }
  if (result.issues === undefined) return deepFrozen(result.value);
  const [issue] = result.issues;
  const path = (issue?.path ?? []).map((key) => String(typeof key === 'object' ? key.key : key));
  throw new MetaapoError('config', issue?.message ?? 'the options are not accepted', {
    where: [part, ...path].join(' '),
    remedy: 'Correct the option in the recipe or in the call of the factory',
  });
}

/** The same value with every object inside it frozen. */
export function deepFrozen<Value>(value: Value): Readonly<Value> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFrozen(inner);
  return Object.freeze(value);
}
