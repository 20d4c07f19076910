import { bindArguments } from './bind-arguments.js';
import { itemsOf } from './comparisons.js';
import { TemplateRefusal } from './template-errors.js';
import { type Arguments, Tuple, typeName, type Value } from './values.js';

/** White space as Python knows it, as the inside of a character class. */
export const SPACES = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

type Method = (text: string, given: Arguments) => Value;

/** Methods of texts; the arguments are those of Python's `str`. */
export const TEXT_METHODS: Readonly<Record<string, Method>> = {
  upper: plain('upper', (text) => text.toUpperCase()),
  lower: plain('lower', (text) => text.toLowerCase()),
  capitalize: plain('capitalize', capitalized),
  title: plain('title', (text) => text.replace(/\p{L}[\p{L}\p{M}]*/gu, capitalized)),
  swapcase: plain('swapcase', (text) => [...text].map(swapped).join('')),
  isspace: plain('isspace', (text) => new RegExp(`^[${SPACES}]+$`).test(text)),
  isalpha: plain('isalpha', (text) => /^\p{L}+$/u.test(text)),
  isdigit: plain('isdigit', (text) => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u.test(text)),
  isdecimal: plain('isdecimal', (text) => /^\p{Nd}+$/u.test(text)),
  isalnum: plain('isalnum', (text) => /^[\p{L}\p{N}]+$/u.test(text)),
  islower: plain('islower', (text) => isCased(text) && text === text.toLowerCase()),
  isupper: plain('isupper', (text) => isCased(text) && text === text.toUpperCase()),
  strip: stripping('strip', true, true),
  lstrip: stripping('lstrip', true, false),
  rstrip: stripping('rstrip', false, true),
  split: splitting('split'),
  rsplit: splitting('rsplit'),
  splitlines: (text, given) => linesOf(text, bindArguments('splitlines', given, { keepends: false })[0] === true),
  join: (text, given) => joined(text, bindArguments('join', given, { iterable: undefined })[0]!),
  replace: (text, given) => {
    const [from, to, count] = bindArguments('replace', given, { old: undefined, new: undefined, count: -1 });
    return replaced(text, asText(from!), asText(to!), asNumber(count!));
  },
  startswith: affix('startswith', (text, part) => text.startsWith(part)),
  endswith: affix('endswith', (text, part) => text.endsWith(part)),
  removeprefix: onPart('removeprefix', (text, part) =>
    part && text.startsWith(part) ? text.slice(part.length) : text,
  ),
  removesuffix: onPart('removesuffix', (text, part) =>
    part && text.endsWith(part) ? text.slice(0, -part.length) : text,
  ),
  find: onPart('find', (text, part) => position(text, text.indexOf(part))),
  rfind: onPart('rfind', (text, part) => position(text, text.lastIndexOf(part))),
  index: onPart('index', (text, part) => found(position(text, text.indexOf(part)))),
  rindex: onPart('rindex', (text, part) => found(position(text, text.lastIndexOf(part)))),
  count: onPart('count', (text, part) => (part === '' ? [...text].length + 1 : text.split(part).length - 1)),
  partition: onPart('partition', (text, part) => partition(text, separator(part), text.indexOf(part), [text, '', ''])),
  rpartition: onPart('rpartition', (text, part) =>
    partition(text, separator(part), text.lastIndexOf(part), ['', '', text]),
  ),
  ljust: justified('ljust', (text, padding) => text + padding),
  rjust: justified('rjust', (text, padding) => padding + text),
  zfill: (text, given) => {
    const missing = asNumber(bindArguments('zfill', given, { width: undefined })[0]!) - [...text].length;
    const sign = /^[-+]/.exec(text)?.[0] ?? '';
    return sign + '0'.repeat(Math.max(0, missing)) + text.slice(sign.length);
  },
  center: (text, given) => {
    const [width, fill] = bindArguments('center', given, { width: undefined, fillchar: ' ' });
    return centered(text, asNumber(width!), asText(fill!));
  },
};

/** The first character in upper case, the others in lower case. */
export function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return titleCase(first) + rest.join('').toLowerCase();
}

/** Title case, and the characters that have it. */
const TITLE_CASES = ['ǅǄǆ', 'ǈǇǉ', 'ǋǊǌ', 'ǲǱǳ', 'ᾼᾳ', 'ῌῃ', 'ῼῳ'];

/** Title case of one character: that of a digraph differs from its upper case. */
function titleCase(character: string): string {
  const special = TITLE_CASES.find((cases) => [...cases].includes(character));
  if (special !== undefined) return special[0]!;
  if (character === 'ŉ') return 'ʼN';
  const upper = character.toUpperCase();
  const [first = '', ...rest] = upper;
  return first + rest.join('').toLowerCase();
}

const swapped = (character: string): string =>
  character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase();

const isCased = (text: string): boolean => text.toLowerCase() !== text.toUpperCase();

/** Characters taken off both ends: white space, or those given. */
export function stripped(text: string, characters: Value, atStart = true, atEnd = true): string {
  if (characters === null) {
    const start = atStart ? text.replace(new RegExp(`^[${SPACES}]+`), '') : text;
    return atEnd ? withoutTrailingSpace(start) : start;
  }
  const off = new Set(asText(characters));
  const kept = [...text];
  const first = atStart ? kept.findIndex((character) => !off.has(character)) : 0;
  if (first === -1) return '';
  const last = atEnd ? kept.findLastIndex((character) => !off.has(character)) : kept.length - 1;
  return kept.slice(first, last + 1).join('');
}

const SPACE = new RegExp(`[${SPACES}]`);

/** From the end, so that long runs of spaces inside a text cost nothing. */
function withoutTrailingSpace(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

function stripping(name: string, atStart: boolean, atEnd: boolean): Method {
  return (text, given) => stripped(text, bindArguments(name, given, { chars: null })[0]!, atStart, atEnd);
}

function splitting(name: 'split' | 'rsplit'): Method {
  return (text, given) => {
    const [by, limit] = bindArguments(name, given, { sep: null, maxsplit: -1 });
    const most = asNumber(limit!);
    if (by === null) return splitAtSpaces(text, most, name === 'rsplit');
    return splitAt(text, separator(asText(by!)), most, name === 'rsplit');
  };
}

function splitAt(text: string, by: string, most: number, isFromEnd: boolean): string[] {
  const parts = text.split(by);
  if (most < 0 || parts.length <= most + 1) return parts;
  return isFromEnd
    ? [parts.slice(0, parts.length - most).join(by), ...parts.slice(parts.length - most)]
    : [...parts.slice(0, most), parts.slice(most).join(by)];
}

function splitAtSpaces(text: string, most: number, isFromEnd: boolean): string[] {
  const words = [...text.matchAll(new RegExp(`[^${SPACES}]+`, 'g'))];
  if (most < 0 || words.length <= most) return words.map(([word]) => word);
  if (isFromEnd) {
    const last = words[words.length - most - 1]!;
    return [text.slice(0, last.index + last[0].length), ...words.slice(words.length - most).map(([word]) => word)];
  }
  return [...words.slice(0, most).map(([word]) => word), text.slice(words[most]!.index)];
}

const LINE_END = '\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]';

function linesOf(text: string, isEndKept: boolean): string[] {
  const parts = text.split(new RegExp(`(${LINE_END})`));
  const lines = Array.from({ length: Math.ceil(parts.length / 2) }, (_, at) => {
    return parts[2 * at]! + (isEndKept ? (parts[2 * at + 1] ?? '') : '');
  });
  return parts.at(-1) === '' ? lines.slice(0, -1) : lines;
}

function joined(by: string, parts: Value): string {
  return [...itemsOf(parts)]
    .map((part, index) => {
      if (typeof part === 'string') return part;
      throw new TemplateRefusal(`sequence item ${index}: expected str instance, ${typeName(part)} found`);
    })
    .join(by);
}

/** Occurrences replaced from the left, at most `count` of them; all where it is negative. */
export function replaced(text: string, from: string, to: string, count: number): string {
  if (from === '') return betweenCharacters(text, to, count);
  const parts = text.split(from);
  if (count < 0 || count >= parts.length - 1) return parts.join(to);
  return [parts.slice(0, count + 1).join(to), ...parts.slice(count + 1)].join(from);
}

function betweenCharacters(text: string, to: string, count: number): string {
  const characters = [...text, ''];
  return characters.map((character, index) => (count < 0 || index < count ? to : '') + character).join('');
}

/** A text in the middle of so many characters; an odd one more is on the left where the width is odd, as in Python. */
export function centered(text: string, width: number, fill = ' '): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

function partition(text: string, by: string, at: number, none: string[]): Tuple {
  return new Tuple(at === -1 ? none : [text.slice(0, at), by, text.slice(at + by.length)]);
}

function separator(by: string): string {
  if (by === '') throw new TemplateRefusal('empty separator');
  return by;
}

/** A position counted in code points. */
const position = (text: string, at: number): number => (at === -1 ? -1 : [...text.slice(0, at)].length);

function found(at: number): number {
  if (at === -1) throw new TemplateRefusal('substring not found');
  return at;
}

function plain(name: string, compute: (text: string) => Value): Method {
  return (text, given) => {
    bindArguments(name, given, {});
    return compute(text);
  };
}

function onPart(name: string, compute: (text: string, part: string) => Value): Method {
  return (text, given) => compute(text, asText(bindArguments(name, given, { sub: undefined })[0]!));
}

function affix(name: string, test: (text: string, part: string) => boolean): Method {
  return (text, given) => {
    const [part] = bindArguments(name, given, { prefix: undefined });
    const parts = part instanceof Tuple ? part.items : [part!];
    return parts.some((one) => test(text, asText(one)));
  };
}

function justified(name: string, join: (text: string, padding: string) => string): Method {
  return (text, given) => {
    const [width, fill] = bindArguments(name, given, { width: undefined, fillchar: ' ' });
    return join(text, asText(fill!).repeat(Math.max(0, asNumber(width!) - [...text].length)));
  };
}

function asText(value: Value): string {
  if (typeof value === 'string') return value;
  throw new TemplateRefusal(`must be str, not ${typeName(value)}`);
}

function asNumber(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TemplateRefusal(`'${typeName(value)}' object cannot be interpreted as an integer`);
}
