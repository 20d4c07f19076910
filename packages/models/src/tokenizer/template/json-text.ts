import { compare } from './comparisons.js';
import { floatText } from './float-text.js';
import { TemplateRefusal } from './template-errors.js';
import { Float, Tuple, typeName, type Value } from './values.js';

/** How JSON is written, by the arguments of Python's `json.dumps`. */
export interface JsonStyle {
  readonly isAscii: boolean;
  /** What a level is indented by; `undefined` for one line. */
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/**
 * A value as Python's `json.dumps` writes it.
 * @throws TemplateRefusal for a value that JSON has no form for
 */
export function jsonText(value: Value, style: JsonStyle, level = 0): string {
  if (typeof value === 'string') return jsonString(value, style.isAscii);
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (value instanceof Float) return jsonFloat(value.value);
  if (value instanceof Map) return bracketed('{}', members(value, style, level), style, level);
  const items = value instanceof Tuple ? value.items : value;
  if (!Array.isArray(items)) throw new TemplateRefusal(`Object of type ${typeName(value)} is not JSON serializable`);
  const parts = items.map((item) => jsonText(item, style, level + 1));
  return bracketed('[]', parts, style, level);
}

function members(value: ReadonlyMap<Value, Value>, style: JsonStyle, level: number): string[] {
  const entries = [...value];
  if (style.sortKeys) entries.sort(([first], [second]) => compare(first, second));
  return entries.map(
    ([key, item]) => jsonString(keyText(key), style.isAscii) + style.separators[1] + jsonText(item, style, level + 1),
  );
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'boolean' || typeof key === 'number') return String(key);
  if (key instanceof Float) return jsonFloat(key.value);
  throw new TemplateRefusal(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function bracketed(brackets: string, parts: readonly string[], style: JsonStyle, level: number): string {
  const [open, close] = [brackets[0]!, brackets[1]!];
  if (style.indent === undefined || parts.length === 0) return open + parts.join(style.separators[0]) + close;
  const line = `\n${style.indent.repeat(level + 1)}`;
  return `${open}${line}${parts.join(style.separators[0] + line)}\n${style.indent.repeat(level)}${close}`;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  return floatText(value);
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};

function jsonString(text: string, isAscii: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes.
  const escaped = isAscii ? /["\\\u0000-\u001f]|[^\u0000-\u007e]/g : /["\\\u0000-\u001f]/g;
  const unit = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${text.replace(escaped, (character) => SHORT[character] ?? unit(character))}"`;
}
