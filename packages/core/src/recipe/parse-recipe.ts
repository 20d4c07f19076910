import { z } from 'zod';
import { MetaapoError, suggestion } from '../contracts/index.js';
import { rewardRecipe, type TrainingRecipe, trainingRecipe } from './training-recipe.js';

/**
 * A checked training recipe with every default filled in.
 * @param where the file, for messages
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseTrainingRecipe(value: unknown, where: string): TrainingRecipe {
  return parseWith(trainingRecipe, value, where);
}

/**
 * A checked recipe of a reward model's training with every default filled in.
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseRewardRecipe(value: unknown, where: string): TrainingRecipe {
  return parseWith(rewardRecipe, value, where);
}

/** Checks a value against a schema; the first fault is reported. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.path.map(String).join('.');
  const key = unknownKey(issue);
  if (key !== undefined) {
    throw new MetaapoError('config', `unknown key ${[path, key].filter(Boolean).join('.')}`, {
      where,
      remedy: suggestion(key, keysAt(schema, issue.path)),
    });
  }
  const given = valueAt(value, issue.path);
  const isConflict = issue.code === 'custom';
  throw new MetaapoError('config', `${path || 'the recipe'} is not accepted${isConflict ? `: ${issue.message}` : ''}`, {
    where,
    ...(isConflict ? {} : { expected: expectation(issue) }),
    got: given === undefined ? 'nothing' : typeof given === 'number' ? String(given) : JSON.stringify(given),
    remedy: 'Correct the recipe, or the --set that overrides it',
  });
}

/** A key that the schema does not know; of a choice of schemas, one that none of them knows. */
function unknownKey(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'unrecognized_keys') return issue.keys[0];
  if (issue.code !== 'invalid_union') return undefined;
  const [first, ...others] = issue.errors.map((errors) =>
    errors.flatMap((one) => (one.code === 'unrecognized_keys' && one.path.length === 0 ? one.keys : [])),
  );
  return first?.find((key) => others.every((keys) => keys.includes(key)));
}

/** What a value should have been, out of the schema library's message: `Too small: expected number to be >0`. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branches = issue.errors.flatMap((errors) => errors.slice(0, 1).map(expectation));
    return [...new Set(branches)].join(' or ');
  }
  if (issue.code === 'unrecognized_keys') return `no key ${issue.keys.join(', ')}`;
  return /expected (.*?)(?:, received .*)?$/.exec(issue.message)?.[1] ?? issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** Keys that the object schema at a path knows. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let inner: unknown = schema;
  for (const key of path) inner = shapeOf(inner)?.[String(key)];
  return Object.keys(shapeOf(inner) ?? {});
}

/** Shape of an object schema, inside defaults, options, transformations and choices. */
function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodUnion) return Object.assign({}, ...schema.options.map(shapeOf));
  const def = (schema as { def?: { innerType?: unknown; in?: unknown } } | undefined)?.def;
  const inner = def?.innerType ?? def?.in;
  return inner === undefined ? undefined : shapeOf(inner);
}
