import { bindArguments } from './bind-arguments.js';
import { isEqual, lengthOf } from './comparisons.js';
import { formatText } from './format-text.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';
import { TEXT_METHODS } from './text-methods.js';
import {
  type Arguments,
  Callable,
  type Dict,
  Loop,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.js';

/** Methods that Python's texts have and that are not rendered here. */
export const UNSUPPORTED_METHODS: ReadonlySet<string> = new Set([
  'casefold',
  'encode',
  'expandtabs',
  'format_map',
  'isascii',
  'isidentifier',
  'isnumeric',
  'isprintable',
  'istitle',
  'maketrans',
  'translate',
]);

/** Methods that change a list or a dict: the sandbox of transformers forbids them. */
const MUTATING = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

/** `value.name`: a method or attribute first, then the item under that key. */
export function attributeOf(value: Value, name: string): Value {
  if (value instanceof Undefined) return value.fail();
  const method = methodOf(value, name);
  if (method !== undefined) return method;
  const item = keyed(value, name);
  return item === undefined ? missing(value, name) : item;
}

/** `value[key]`: an item first, then, where the key is a text, a method or attribute. */
export function itemOf(value: Value, key: Value): Value {
  if (value instanceof Undefined) return value.fail();
  const item = typeof key === 'string' ? keyed(value, key) : indexed(value, key);
  if (item !== undefined) return item;
  const method = typeof key === 'string' ? methodOf(value, key) : undefined;
  return method === undefined ? missing(value, key) : method;
}

function keyed(value: Value, key: string): Value | undefined {
  return value instanceof Map ? value.get(key) : undefined;
}

function indexed(value: Value, key: Value): Value | undefined {
  if (value instanceof Map) return value.get(key);
  const at = typeof key === 'boolean' ? Number(key) : key;
  const items = typeof value === 'string' ? [...value] : sequenceOf(value);
  return typeof at === 'number' ? items?.[at < 0 ? items.length + at : at] : undefined;
}

function missing(value: Value, key: Value): Undefined {
  return new Undefined(
    `'${typeName(value)} object' has no attribute ${typeof key === 'string' ? `'${key}'` : String(key)}`,
  );
}

/** Items of a list, a tuple or a range; `undefined` for anything else. */
export function sequenceOf(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof Tuple || value instanceof Range ? value.items : undefined;
}

/** `value[start:stop:step]`. */
export function sliceOf(value: Value, bounds: readonly Value[]): Value {
  if (value instanceof Undefined) return value.fail();
  const items: readonly Value[] | undefined = typeof value === 'string' ? [...value] : sequenceOf(value);
  if (items === undefined) throw new TemplateRefusal(`'${typeName(value)}' object is not subscriptable by a slice`);
  if (value instanceof Range) return slicedRange(value, bounds.map(bound));
  const kept = sliced(items, bounds.map(bound));
  if (typeof value === 'string') return kept.join('');
  return Array.isArray(value) ? kept : new Tuple(kept);
}

/** A slice of a range is a range. */
function slicedRange({ items, step }: Range, bounds: readonly (number | undefined)[]): Range {
  const [start, end, by] = indices(items.length, bounds);
  const first = items[0] ?? 0;
  const at = (index: number): number => first + index * step;
  return new Range(at(start), at(end), step * by);
}

function bound(value: Value): number | undefined {
  if (value === null) return undefined;
  if (typeof value === 'number') return value;
  throw new TemplateRefusal('slice indices must be integers or None');
}

function sliced(items: readonly Value[], bounds: readonly (number | undefined)[]): Value[] {
  const [start, end, step] = indices(items.length, bounds);
  const kept: Value[] = [];
  for (let at = start; step > 0 ? at < end : at > end; at += step) kept.push(items[at]!);
  return kept;
}

/** First index, end and step of a slice of so many items. */
function indices(
  length: number,
  [start, stop, step = 1]: readonly (number | undefined)[],
): [start: number, end: number, step: number] {
  if (step === 0) throw new TemplateRefusal('slice step cannot be zero');
  const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1];
  const within = (at: number | undefined, otherwise: number): number =>
    at === undefined ? otherwise : Math.min(Math.max(at < 0 ? at + length : at, lowest), highest);
  return [within(start, step > 0 ? lowest : highest), within(stop, step > 0 ? highest : lowest), step];
}

function methodOf(value: Value, name: string): Value | undefined {
  if (name.startsWith('__')) return unsafe(value, name);
  if (typeof value === 'string') return textMethod(value, name);
  if (value instanceof Map) return dictMethod(value, name);
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof Callable) return value.attributes.get(name);
  if (value instanceof Loop) return value.attribute(name);
  if (Array.isArray(value) && MUTATING.list.includes(name)) return unsafe(value, name);
  if (Array.isArray(value) && name === 'copy') return new Callable(() => [...value]);
  const items = sequenceOf(value);
  return items && (name === 'index' || name === 'count') ? searching(items, name) : undefined;
}

function textMethod(text: string, name: string): Value | undefined {
  if (name === 'format') return new Callable((given) => formatText(text, given, lookUp));
  const method = TEXT_METHODS[name];
  if (method) return new Callable((given) => method(text, given));
  if (UNSUPPORTED_METHODS.has(name)) throw new TemplateUnsupported(`the method ${name} of a text`);
  return undefined;
}

/** A field of `format`: an attribute, or a key that is a number where it looks like one. */
const lookUp = (value: Value, name: string, isAttribute: boolean): Value =>
  isAttribute ? attributeOf(value, name) : itemOf(value, /^\d+$/.test(name) ? Number(name) : name);

const DICT_METHODS: Readonly<Record<string, (dict: Dict, given: Arguments) => Value>> = {
  keys: (dict) => new View('dict_keys', [...dict.keys()]),
  values: (dict) => new View('dict_values', [...dict.values()]),
  items: (dict) =>
    new View(
      'dict_items',
      [...dict].map((entry) => new Tuple(entry)),
    ),
  copy: (dict) => new Map(dict),
  get: (dict, given) => {
    const [key, otherwise] = bindArguments('get', given, { key: undefined, default: null });
    return dict.has(key!) ? dict.get(key!)! : otherwise!;
  },
};

function dictMethod(dict: Dict, name: string): Value | undefined {
  const method = DICT_METHODS[name];
  if (method) return new Callable((given) => method(dict, given));
  return MUTATING.dict.includes(name) ? unsafe(dict, name) : undefined;
}

function searching(items: readonly Value[], name: 'index' | 'count'): Callable {
  return new Callable((given) => {
    const [wanted] = bindArguments(name, given, { value: undefined });
    if (name === 'count') return items.filter((item) => isEqual(item, wanted!)).length;
    const at = items.findIndex((item) => isEqual(item, wanted!));
    if (at === -1) throw new TemplateRefusal('the value is not in the list');
    return at;
  });
}

function unsafe(value: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
}

/** True for a value with a length and items by number or key, as the test `sequence` asks. */
export function isSequence(value: Value): boolean {
  if (value instanceof Undefined || value instanceof Map || typeof value === 'string') return true;
  return sequenceOf(value) !== undefined && lengthOf(value) >= 0;
}
