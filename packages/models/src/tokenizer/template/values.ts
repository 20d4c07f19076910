import { isFloatNumber } from '@metaapo/core/contracts';
import { floatText } from './float-text.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';

/** What a template computes with: Python's values, integers as numbers, floats and tuples in classes of their own. */
export type Value =
  | string
  | number
  | boolean
  | null
  | Float
  | Undefined
  | List
  | Tuple
  | Dict
  | Namespace
  | Range
  | View
  | Lazy
  | Callable
  | Loop;

/** A list. */
export type List = Value[];

/** A dict, in the order in which its keys came. */
export type Dict = Map<Value, Value>;

/** A float; integers are plain numbers. */
export class Float {
  constructor(readonly value: number) {}
}

/** What a name or a key stands for that is not there. It can be printed, looped over and asked whether it is true, no more. */
export class Undefined {
  /** @param reason what is undefined, in words */
  constructor(readonly reason: string) {}

  /** @throws TemplateRefusal always: what was asked cannot be done with something undefined */
  fail(): never {
    throw new TemplateRefusal(this.reason);
  }
}

/** A tuple. */
export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** What `namespace()` makes: the one kind of value whose attributes can be set. */
export class Namespace {
  constructor(readonly attributes: Dict) {}
}

/** What `range()` makes. */
export class Range {
  readonly items: readonly number[];
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (length > 100_000) throw new TemplateRefusal('range too big: the sandbox blocks ranges larger than 100000');
    this.items = Array.from({ length }, (_, at) => start + at * step);
  }
}

/** Keys, values or items of a dict. */
export class View {
  constructor(
    readonly name: 'dict_keys' | 'dict_values' | 'dict_items',
    readonly items: readonly Value[],
  ) {}
}

/** A generator or iterator: its items can be taken once. */
export class Lazy {
  constructor(readonly iterator: Iterator<Value>) {}
}

/** What `loop` stands for in the body of a loop. */
export class Loop {
  /** @param attribute gives `loop.name`, or `undefined` where a loop has no such attribute */
  constructor(readonly attribute: (name: string) => Value | undefined) {}
}

/** Arguments of a call. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** A function, a method or a macro. */
export class Callable {
  /** @param attributes what can be read of it, such as a macro's name */
  constructor(
    readonly call: (given: Arguments) => Value,
    readonly attributes: ReadonlyMap<string, Value> = new Map(),
  ) {}
}

/** Values of JSON data and recipes as a template sees them. */
export function templateValue(data: unknown): Value {
  switch (typeof data) {
    case 'string':
    case 'boolean':
      return data;
    case 'number':
      return Number.isInteger(data) ? data : new Float(data);
    case 'bigint':
      if (!Number.isSafeInteger(Number(data))) throw new TemplateUnsupported(`the integer ${data}`);
      return Number(data);
    case 'object':
      if (data === null) return null;
      if (isFloatNumber(data)) return new Float(data.value);
      if (Array.isArray(data)) return data.map(templateValue);
      return new Map(
        Object.entries(data).flatMap(([key, value]) => (value === undefined ? [] : [[key, templateValue(value)]])),
      );
    default:
      throw new TemplateUnsupported(`a value of type ${typeof data}`);
  }
}

/** Python's `bool()`. */
export function isTrue(value: Value): boolean {
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Undefined) return false;
    if (value instanceof Float) return value.value !== 0;
    if (value instanceof Map) return value.size > 0;
    if (Array.isArray(value)) return value.length > 0;
    return !('items' in value) || value.items.length > 0;
  }
  return Boolean(value);
}

/** Python's `str()`. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof Undefined ? '' : reprOf(value);
}

/** Python's `repr()`. */
export function reprOf(value: Value): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') return String(value);
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Undefined) return 'Undefined';
  if (Array.isArray(value)) return `[${value.map(reprOf).join(', ')}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${reprOf(key)}: ${reprOf(item)}`).join(', ')}}`;
  if (value instanceof Tuple) return `(${value.items.map(reprOf).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof View) return `${value.name}([${value.items.map(reprOf).join(', ')}])`;
  if (value instanceof Range) return rangeText(value);
  if (value instanceof Namespace) return `<Namespace ${reprOf(value.attributes)}>`;
  throw new TemplateUnsupported(
    `the printed form of ${value instanceof Lazy ? 'a generator' : value instanceof Loop ? 'a loop' : 'a function'}`,
  );
}

function rangeText({ start, stop, step }: Range): string {
  return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\\n\r\t'"]|(?! )[\p{C}\p{Z}]/gu, (character) => {
    if (character === '"' || character === "'") return character === quote ? `\\${character}` : character;
    const code = character.codePointAt(0)!;
    const hexadecimal = (width: number): string => code.toString(16).padStart(width, '0');
    if (ESCAPES[character] !== undefined) return ESCAPES[character];
    if (code < 256) return `\\x${hexadecimal(2)}`;
    return code < 65_536 ? `\\u${hexadecimal(4)}` : `\\U${hexadecimal(8)}`;
  });
  return quote + inner + quote;
}

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  if (value instanceof View) return value.name;
  return value.constructor.name.toLowerCase();
}

/** The number that a value is to arithmetic, or `undefined` where it is none. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}
