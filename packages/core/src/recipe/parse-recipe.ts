import { z } from 'zod';
import { MetaapoError } from '../contracts/index.js';
import { suggestion } from './nearest.js';
import { type TrainingRecipe, trainingRecipe } from './training-recipe.js';

/**
 * A checked training recipe with every default filled in.
 * @param where the file, for messages
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseTrainingRecipe(value: unknown, where: string): TrainingRecipe {
  return parseWith(trainingRecipe, value, where);
}

/** Checks a value against a schema; the first fault is reported. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys;
    const full = [path, key].filter(Boolean).join('.');
    throw new MetaapoError('config', `unknown key ${full}`, {
      where,
      remedy: suggestion(key!, keysAt(schema, issue.path)),
    });
  }
  const given = valueAt(value, issue.path);
  throw new MetaapoError('config', `${path || 'the recipe'} is not accepted`, {
    where,
    expected: issue.message.replace(/^Invalid input: expected /, ''),
    got: given === undefined ? 'nothing' : JSON.stringify(given),
    remedy: 'Correct the recipe, or the --set that overrides it',
  });
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

/** Shape of an object schema, inside defaults and options. */
function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape;
  const def = (schema as { def?: { innerType?: unknown } } | undefined)?.def;
  return def?.innerType === undefined ? undefined : shapeOf(def.innerType);
}
