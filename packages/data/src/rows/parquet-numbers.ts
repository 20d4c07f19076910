import { FloatNumber } from '@metaapo/core/contracts';
import type { SchemaTree } from 'hyparquet';

/** What gives a value of a column with its numbers as JSON has them, floats told from integers. */
type AsNumbers = (value: unknown) => unknown;

/**
 * What gives the numbers inside of the objects of a column as rows of JSON have them, since a chat template may print them;
 * `undefined` for a column that has none there.
 */
export function asNumbersIn(column: SchemaTree): AsNumbers | undefined {
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

function inside({ element, children }: SchemaTree): AsNumbers | undefined {
  if (children.length === 0) return NUMBERS[element.type ?? ''];
  const fields = children.flatMap((child) => {
    const asNumbers = inside(child);
    return asNumbers ? [[child.element.name, asNumbers] as const] : [];
  });
  if (fields.length === 0) return undefined;
  const asNumbers = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(asNumbers);
    if (typeof value !== 'object' || value === null) return value;
    const own = value as Record<string, unknown>;
    return {
      ...own,
      ...Object.fromEntries(fields.flatMap(([name, of]) => (name in own ? [[name, of(own[name])]] : []))),
    };
  };
  const isList = children.length === 1 && (isWrapper(element) || isWrapper(children[0]!.element));
  return isList ? inList(fields[0]![1]) : asNumbers;
}

const inList =
  (of: AsNumbers): AsNumbers =>
  (value) =>
    Array.isArray(value) ? value.map(of) : of(value);

const float: AsNumbers = (value) =>
  typeof value === 'number' && Number.isInteger(value) ? new FloatNumber(value) : value;

/** Integers that JavaScript would change stay as they are. */
const integer: AsNumbers = (value) =>
  typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;

const NUMBERS: Readonly<Record<string, AsNumbers | undefined>> = { DOUBLE: float, FLOAT: float, INT64: integer };
