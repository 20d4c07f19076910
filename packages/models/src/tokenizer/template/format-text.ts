import { floatText } from './float-text.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';
import { type Arguments, Float, numberOf, Range, reprOf, Tuple, textOf, Undefined, type Value } from './values.js';

/**
 * Python's `%` on a text, for `%s`, `%r`, `%d`, `%i`, `%x`, `%f` and `%%` with flags, width and precision.
 * @throws TemplateRefusal where arguments are missing, too many or of another type
 */
export function percentFormat(format: string, given: Value): string {
  const values = given instanceof Tuple ? [...given.items] : [given];
  const isNamed = given instanceof Map;
  let used = 0;
  const next = (name: string | undefined): Value => {
    const value = name === undefined ? values[used++] : isNamed ? given.get(name) : undefined;
    if (value === undefined) throw new TemplateRefusal('not enough arguments for format string');
    return value;
  };
  const text = format.replace(
    /%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%]|$)/g,
    (_, name: string | undefined, flags: string, width: string, precision: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      return padded(converted(kind, next(name), { flags, precision }), flags, width, kind);
    },
  );
  // Python lets whatever has items by key stand unused.
  const isLenient = isNamed || Array.isArray(given) || given instanceof Undefined || given instanceof Range;
  if (used < values.length && !isLenient) throw new TemplateRefusal('not all arguments converted during formatting');
  return text;
}

interface Conversion {
  readonly flags: string;
  readonly precision: string | undefined;
}

function converted(kind: string, value: Value, { flags, precision }: Conversion): string {
  if (kind === 's' || kind === 'r') {
    const text = kind === 's' ? textOf(value) : reprOf(value);
    return precision === undefined ? text : [...text].slice(0, Number(precision)).join('');
  }
  const number = numberOf(value);
  if (number === undefined) throw new TemplateRefusal(`%${kind} format: a real number is required`);
  const text = digitsOf(kind, number, precision);
  if (number < 0 || text.startsWith('-')) return text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

function digitsOf(kind: string, number: number, precision: string | undefined): string {
  if ((kind === 'd' || kind === 'i' || kind === 'u') && precision === undefined) return String(Math.trunc(number));
  if (kind === 'x' && Number.isInteger(number)) return number.toString(16);
  if (kind === 'X' && Number.isInteger(number)) return number.toString(16).toUpperCase();
  if (kind === 'f' || kind === 'F') return fixed(number, Number(precision ?? 6));
  throw new TemplateUnsupported(`the format %${kind}`);
}

function padded(text: string, flags: string, width: string, kind: string): string {
  const missing = Number(width || 0) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || kind === 's' || kind === 'r') return ' '.repeat(missing) + text;
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** A number with so many digits behind the point; a tie goes to the even digit, as in Python. */
export function fixed(number: number, digits: number): string {
  if (!Number.isFinite(number)) return floatText(number);
  const text = number.toFixed(digits);
  const scaled = Math.abs(number) * 10 ** digits;
  const isTie = scaled % 1 === 0.5 && scaled < 2 ** 52 && Number.isInteger(number * 2 ** 20);
  if (!isTie || Math.floor(scaled) % 2 === 1) return text;
  const down = (Math.floor(scaled) / 10 ** digits).toFixed(digits);
  return number < 0 ? `-${down}` : down;
}

/** What looks an attribute or a key of a field up. */
export type FieldLookup = (value: Value, name: string, isAttribute: boolean) => Value;

/**
 * Python's `str.format` for fields with names or numbers, attributes, keys, `!r`, `!s` and the usual specifications.
 * @throws TemplateRefusal where an argument is missing
 */
export function formatText(format: string, { positional, named }: Arguments, lookup: FieldLookup): string {
  let automatic = 0;
  return format.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (whole, field: string | undefined) => {
    if (whole === '{{' || whole === '}}') return whole[0]!;
    if (field === undefined) throw new TemplateRefusal("Single '{' or '}' encountered in format string");
    const [, path, conversion, specification] = /^([^!:]*)(?:!([rsa]))?(?::(.*))?$/s.exec(field) ?? [];
    if (path === undefined || conversion === 'a') throw new TemplateUnsupported(`the field {${field}}`);
    const [, first, rest] = /^([^.[]*)(.*)$/s.exec(path)!;
    if (first === '' && rest !== '') throw new TemplateRefusal('a field begins with a name or a number');
    const key = first === '' ? String(automatic++) : first!;
    const root = /^\d+$/.test(key) ? positional[Number(key)] : named.get(key);
    if (root === undefined) throw new TemplateRefusal(`no argument ${key} for format string`);
    const value = [...rest!.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)].reduce(
      (found, [, attribute, item]) => lookup(found, attribute ?? item!, attribute !== undefined),
      root,
    );
    return formatted(conversion === 'r' ? reprOf(value) : value, specification ?? '');
  });
}

const SPECIFICATION = /^(?:(.)?([<>^=]))?([-+ ])?(0)?(\d+)?(,)?(?:\.(\d+))?([sdfx%])?$/su;

function formatted(value: Value, specification: string): string {
  if (specification === '') return textOf(value);
  const [whole, fill, align, sign, zero, width, comma, precision, kind] = SPECIFICATION.exec(specification) ?? [];
  if (whole === undefined) throw new TemplateUnsupported(`the format specification ${specification}`);
  const number = typeof value === 'boolean' ? undefined : numberOf(value);
  if (number === undefined && (typeof value !== 'string' || (kind ?? 's') !== 's' || sign || comma)) {
    throw new TemplateUnsupported(`the format specification ${specification} for such a value`);
  }
  const body =
    number === undefined
      ? cut(value as string, precision)
      : numberText(value, number, { kind, precision, comma, sign });
  const missing = ' '.repeat(Math.max(0, Number(width ?? 0) - [...body].length));
  const padding = missing.replaceAll(' ', () => fill ?? (zero ? '0' : ' '));
  const side = align ?? (number === undefined ? '<' : zero ? '=' : '>');
  return aligned(body, [...padding], side);
}

const cut = (text: string, precision: string | undefined): string =>
  precision === undefined ? text : [...text].slice(0, Number(precision)).join('');

function aligned(body: string, padding: readonly string[], side: string): string {
  if (side === '<') return body + padding.join('');
  if (side === '>') return padding.join('') + body;
  if (side === '=') {
    const sign = /^[-+ ]/.exec(body)?.[0] ?? '';
    return sign + padding.join('') + body.slice(sign.length);
  }
  const left = Math.floor(padding.length / 2);
  return padding.slice(0, left).join('') + body + padding.slice(left).join('');
}

function numberText(
  value: Value,
  number: number,
  { kind, precision, comma, sign }: Readonly<Record<'kind' | 'precision' | 'comma' | 'sign', string | undefined>>,
): string {
  const isFloat = value instanceof Float;
  if (kind === 's' || (kind === 'd' && isFloat) || (kind === undefined && precision !== undefined)) {
    throw new TemplateUnsupported(`the format ${kind ?? `.${precision}`} for a number`);
  }
  let text = kind === undefined || kind === 'd' ? reprOf(value) : '';
  if (kind === 'x') text = number.toString(16);
  if (kind === 'f') text = fixed(number, Number(precision ?? 6));
  if (kind === '%') text = `${fixed(number * 100, Number(precision ?? 6))}%`;
  if (comma) text = text.replace(/^-?\d+/, (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ','));
  return !text.startsWith('-') && sign && sign !== '-' ? sign + text : text;
}
