import { attributePath } from './attribute-path.js';
import { bindArguments, type Parameters } from './bind-arguments.js';
import { itemsOf, lengthOf } from './comparisons.js';
import { fixed, percentFormat } from './format-text.js';
import { jsonText } from './json-text.js';
import type { RenderTools } from './render-tools.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';
import { capitalized, centered, replaced, SPACES, stripped, TEXT_METHODS } from './text-methods.js';
import { type Arguments, Float, isTrue, numberOf, Tuple, textOf, typeName, Undefined, type Value } from './values.js';

/** A filter of jinja2: a value, the arguments of the call, the result. */
export type Filter = (value: Value, given: Arguments, tools: RenderTools) => Value;

/** A filter by its parameters, whose arguments come in their order. */
export function filter(
  name: string,
  parameters: Parameters,
  compute: (value: Value, given: readonly Value[], tools: RenderTools) => Value,
): Filter {
  return (value, given, tools) => compute(value, bindArguments(name, given, parameters), tools);
}

const NONE: Arguments = { positional: [], named: new Map() };
const method = (name: string): Filter => filter(name, {}, (value) => TEXT_METHODS[name]!(textOf(value), NONE));

/** Filters of jinja2 that give texts and numbers. */
export const TEXT_FILTERS: Readonly<Record<string, Filter>> = {
  upper: method('upper'),
  lower: method('lower'),
  capitalize: filter('capitalize', {}, (value) => capitalized(textOf(value))),
  title: filter('title', {}, (value) => titled(textOf(value))),
  string: filter('string', {}, (value) => textOf(value)),
  trim: filter('trim', { chars: null }, (value, [characters]) => stripped(textOf(value), characters!)),
  replace: filter('replace', { old: undefined, new: undefined, count: null }, (value, [from, to, count]) =>
    replaced(textOf(value), textOf(from!), textOf(to!), count === null ? -1 : wholeNumber(count!)),
  ),
  center: filter('center', { width: 80 }, (value, [width]) => centered(textOf(value), wholeNumber(width!))),
  indent: filter('indent', { width: 4, first: false, blank: false }, (value, [width, first, blank]) =>
    indented(textIn(value), width!, isTrue(first!), isTrue(blank!)),
  ),
  truncate: filter(
    'truncate',
    { length: 255, killwords: false, end: '...', leeway: 5 },
    (value, [length, killWords, end, leeway]) =>
      truncated(value, wholeNumber(length!), isTrue(killWords!), textOf(end!), wholeNumber(leeway!)),
  ),
  join: filter('join', { d: '', attribute: null }, (value, [by, attribute]) => {
    const read = attribute === null ? (item: Value) => item : attributePath(attribute!);
    return [...itemsOf(value)].map((item) => textOf(read(item))).join(textOf(by!));
  }),
  format: (value, { positional, named }) => {
    if (positional.length > 0 && named.size > 0) {
      throw new TemplateRefusal("can't handle positional and keyword arguments at the same time");
    }
    return percentFormat(textOf(value), named.size > 0 ? new Map(named) : new Tuple(positional));
  },
  tojson: filter(
    'tojson',
    { ensure_ascii: false, indent: null, separators: null, sort_keys: false },
    (value, [ascii, indent, separators, sortKeys]) =>
      jsonText(value, {
        isAscii: isTrue(ascii!),
        indent: indentOf(indent!),
        separators: separatorsOf(separators!, indent === null),
        sortKeys: isTrue(sortKeys!),
      }),
  ),
  wordcount: filter('wordcount', {}, (value) => textOf(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
  int: filter('int', { default: 0, base: 10 }, (value, [otherwise, base]) => {
    if (value instanceof Undefined) return value.fail();
    return integerOf(value, wholeNumber(base!)) ?? otherwise!;
  }),
  float: filter('float', { default: new Float(0) }, (value, [otherwise]) => {
    if (value instanceof Undefined) return value.fail();
    return floatOf(value) ?? otherwise!;
  }),
  abs: filter('abs', {}, (value) => {
    const number = numberOf(value);
    if (number === undefined) throw new TemplateRefusal(`bad operand type for abs(): '${typeName(value)}'`);
    return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
  }),
  round: filter('round', { precision: 0, method: 'common' }, (value, [precision, how]) =>
    rounded(value, wholeNumber(precision!), textOf(how!)),
  ),
};

const WORD_STARTS = new RegExp(`([-${SPACES}({\\[<]+)`);

function titled(text: string): string {
  return text
    .split(WORD_STARTS)
    .map((part) => {
      const [first = '', ...rest] = part;
      return first.toUpperCase() + rest.join('').toLowerCase();
    })
    .join('');
}

function indented(text: string, width: Value, isFirst: boolean, isBlank: boolean): string {
  const indent = typeof width === 'string' ? width : ' '.repeat(wholeNumber(width));
  const [first = '', ...rest] = TEXT_METHODS.splitlines!(`${text}\n`, NONE) as string[];
  const written = rest.map((line) => (isBlank || line !== '' ? indent + line : line));
  return (isFirst ? indent : '') + [first, ...written].join('\n');
}

function truncated(value: Value, length: number, killWords: boolean, end: string, leeway: number): Value {
  if (lengthOf(value) <= length + leeway) return value;
  const kept = [...textIn(value)].slice(0, length - [...end].length).join('');
  const lastSpace = kept.lastIndexOf(' ');
  return (killWords || lastSpace === -1 ? kept : kept.slice(0, lastSpace)) + end;
}

function indentOf(indent: Value): string | undefined {
  if (indent === null || typeof indent === 'string') return indent ?? undefined;
  return ' '.repeat(Math.max(0, wholeNumber(indent)));
}

function separatorsOf(separators: Value, isOneLine: boolean): [string, string] {
  if (separators === null) return [isOneLine ? ', ' : ',', ': '];
  const [item, key] = itemsOf(separators);
  return [textOf(item!), textOf(key!)];
}

function integerOf(value: Value, base: number): number | undefined {
  const number = numberOf(value);
  if (number !== undefined) return Number.isFinite(number) ? Math.trunc(number) : undefined;
  if (typeof value !== 'string') return undefined;
  const text = stripped(value, null).replaceAll(/(?<=\d)_(?=\d)/g, '');
  if (base !== 10) throw new TemplateUnsupported(`int in base ${base}`);
  if (/^[-+]?\d+$/.test(text)) return Number(text);
  const parsed = floatOf(value)?.value;
  return parsed === undefined || !Number.isFinite(parsed) ? undefined : Math.trunc(parsed);
}

function floatOf(value: Value): Float | undefined {
  const number = numberOf(value);
  if (number !== undefined) return new Float(number);
  if (typeof value !== 'string') return undefined;
  const text = stripped(value, null).replaceAll(/(?<=\d)_(?=\d)/g, '');
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return new Float(Number(text));
  if (/^[-+]?(?:inf|infinity|nan)$/i.test(text)) throw new TemplateUnsupported('infinite numbers');
  return undefined;
}

function rounded(value: Value, precision: number, how: string): Value {
  const number = numberOf(value);
  if (number === undefined) throw new TemplateRefusal(`type ${typeName(value)} doesn't define __round__ method`);
  const scale = 10 ** precision;
  if (how === 'ceil') return new Float(Math.ceil(number * scale) / scale);
  if (how === 'floor') return new Float(Math.floor(number * scale) / scale);
  if (how !== 'common') throw new TemplateRefusal('method must be common, ceil or floor');
  if (precision < 0) throw new TemplateUnsupported('round to tens');
  if (!(value instanceof Float)) return number;
  return new Float(Number(fixed(number, precision)));
}

function textIn(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return value.fail();
  throw new TemplateRefusal(`a text is expected, not ${typeName(value)}`);
}

function wholeNumber(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TemplateRefusal(`'${typeName(value)}' object cannot be interpreted as an integer`);
}
