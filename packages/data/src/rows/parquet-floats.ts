import { FloatNumber } from '@metaapo/core/contracts';
import type { SchemaTree } from 'hyparquet';

/** What gives a value of a column with its floats told from integers. */
type AsFloats = (value: unknown) => unknown;

/**
 * What marks the floats inside of the objects of a column, which a chat template may print; `undefined` for a column that
 * has none there.
 */
export function asFloatsIn(column: SchemaTree): AsFloats | undefined {
  return hasFields(column) ? inside(column) : undefined;
}

/** True where objects are stored, not numbers or lists of them alone. */
function hasFields({ element, children }: SchemaTree): boolean {
  if (children.length > 1) return true;
  const [only] = children;
  if (only === undefined) return false;
  return isWrapper(element) || isWrapper(only.element) ? hasFields(only) : true;
}

/** A group that stands for a list or its items, and no object. */
function isWrapper({ repetition_type, converted_type, name }: SchemaTree['element']): boolean {
  return converted_type === 'LIST' || (repetition_type === 'REPEATED' && ['list', 'array', 'bag'].includes(name));
}

function inside({ element, children }: SchemaTree): AsFloats | undefined {
  if (children.length === 0) return ['DOUBLE', 'FLOAT'].includes(element.type ?? '') ? marked : undefined;
  const fields = children.flatMap((child) => {
    const asFloats = inside(child);
    return asFloats ? [[child.element.name, asFloats] as const] : [];
  });
  if (fields.length === 0) return undefined;
  const asFloats = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(asFloats);
    if (typeof value !== 'object' || value === null) return value;
    const own = value as Record<string, unknown>;
    return {
      ...own,
      ...Object.fromEntries(fields.flatMap(([name, of]) => (name in own ? [[name, of(own[name])]] : []))),
    };
  };
  const isList = children.length === 1 && (isWrapper(element) || isWrapper(children[0]!.element));
  return isList ? inList(fields[0]![1]) : asFloats;
}

const inList =
  (of: AsFloats): AsFloats =>
  (value) =>
    Array.isArray(value) ? value.map(of) : of(value);

const marked: AsFloats = (value) =>
  typeof value === 'number' && Number.isInteger(value) ? new FloatNumber(value) : value;
