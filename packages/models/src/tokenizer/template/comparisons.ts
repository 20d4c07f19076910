import { TemplateRefusal } from './template-errors.js';
import { Lazy, Namespace, numberOf, Range, Tuple, typeName, Undefined, type Value, View } from './values.js';

/** Python's `==`. */
export function isEqual(left: Value, right: Value): boolean {
  if (left === right) return true;
  const [first, second] = [numberOf(left), numberOf(right)];
  if (first !== undefined && second !== undefined) return first === second;
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof Map && right instanceof Map) return isEqualDict(left, right);
  if (Array.isArray(left) && Array.isArray(right)) return isEqualItems(left, right);
  if (left instanceof Tuple && right instanceof Tuple) return isEqualItems(left.items, right.items);
  return left instanceof Range && right instanceof Range && isEqualItems(left.items, right.items);
}

function isEqualItems(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((value, index) => isEqual(value, right[index]!));
}

function isEqualDict(left: ReadonlyMap<Value, Value>, right: ReadonlyMap<Value, Value>): boolean {
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => right.has(key) && isEqual(value, right.get(key)!));
}

/**
 * Less than 0, 0 or more: Python's order of two values.
 * @throws TemplateRefusal for values that have no order
 */
export function compare(left: Value, right: Value): number {
  for (const value of [left, right]) if (value instanceof Undefined) value.fail();
  const [first, second] = [numberOf(left), numberOf(right)];
  if (first !== undefined && second !== undefined) return first - second;
  if (typeof left === 'string' && typeof right === 'string') return compareTexts(left, right);
  if (Array.isArray(left) && Array.isArray(right)) return compareItems(left, right);
  if (left instanceof Tuple && right instanceof Tuple) return compareItems(left.items, right.items);
  throw new TemplateRefusal(`no order between instances of '${typeName(left)}' and '${typeName(right)}'`);
}

/** The order of code points, which that of UTF-16 units is not beyond U+FFFF. */
function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  let at = 0;
  while (at < left.length && at < right.length && left[at] === right[at]) at += 1;
  if (at > 0 && /[\uD800-\uDBFF]/.test(left[at - 1]!)) at -= 1;
  return (left.codePointAt(at) ?? -1) - (right.codePointAt(at) ?? -1);
}

function compareItems(left: readonly Value[], right: readonly Value[]): number {
  const different = left.findIndex((value, index) => index >= right.length || !isEqual(value, right[index]!));
  if (different === -1) return left.length - right.length;
  return different >= right.length ? 1 : compare(left[different]!, right[different]!);
}

/**
 * Items of a value that can be looped over: of a text its characters, of a dict its keys.
 * @throws TemplateRefusal for a value that cannot
 */
export function itemsOf(value: Value): Iterable<Value> {
  if (typeof value === 'string' || Array.isArray(value)) return value;
  if (value instanceof Map) return value.keys();
  if (value instanceof Tuple || value instanceof Range || value instanceof View) return value.items;
  if (value instanceof Lazy) return { [Symbol.iterator]: () => value.iterator };
  if (value instanceof Undefined) return [];
  throw new TemplateRefusal(`'${typeName(value)}' object is not iterable`);
}

/**
 * Python's `len()`: of a text the number of its code points.
 * @throws TemplateRefusal for a value without a length
 */
export function lengthOf(value: Value): number {
  if (value instanceof Map) return value.size;
  const isSized = typeof value === 'string' || (typeof value === 'object' && !(value instanceof Lazy));
  if (!isSized || value === null || value instanceof Namespace || numberOf(value) !== undefined) {
    throw new TemplateRefusal(`object of type '${typeName(value)}' has no len()`);
  }
  return typeof value === 'string' ? codePoints(value) : [...itemsOf(value)].length;
}

function codePoints(text: string): number {
  let pairs = 0;
  for (let at = 0; at < text.length - 1; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) pairs += 1;
  }
  return text.length - pairs;
}

/**
 * Python's `in`.
 * @throws TemplateRefusal for a value that holds nothing
 */
export function holds(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    throw new TemplateRefusal(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Map) return container.has(item);
  for (const one of itemsOf(container)) if (isEqual(one, item)) return true;
  return false;
}
