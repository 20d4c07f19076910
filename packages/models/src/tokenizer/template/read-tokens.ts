import { TemplateSyntaxError, TemplateUnsupported } from './template-errors.js';
import { SPACES, stripped } from './text-methods.js';

/** A piece of a template: text between tags, the begin or end of a tag, or a word inside one. */
export interface Token {
  readonly kind: 'data' | 'begin' | 'end' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'eof';
  /** Text, name, operator, or the delimiter of a tag: `{{` or `{%` at its begin, `}}` or `%}` at its end. */
  readonly value: string;
  readonly line: number;
}

const SPACE = `[${SPACES}]`;
/** Text up to the next tag. */
const TAG = new RegExp(`\\{%([-+]?)${SPACE}*raw${SPACE}*(-%\\}${SPACE}*|%\\})|(\\{%|\\{\\{|\\{#)([-+]?)`, 'g');
const END_OF_RAW = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`, 'g');
const END_OF_COMMENT = new RegExp(`\\+#\\}|-#\\}${SPACE}*|#\\}\\n?`, 'g');
const END_OF_BLOCK = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, 'y');
const END_OF_OUTPUT = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, 'y');
const SPACES_INSIDE = new RegExp(`${SPACE}+`, 'y');

const WORDS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['float', /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ['integer', /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ['name', /[\p{ID_Start}_][\p{ID_Continue}]*/uy],
  ['string', /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy],
  ['operator', /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/y],
];
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

/**
 * The tokens of a template, as jinja2 reads it with `trim_blocks` and `lstrip_blocks`.
 * @throws TemplateSyntaxError
 */
export function readTokens(template: string): Token[] {
  return new TokenReader(template).read();
}

class TokenReader {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  /** Whether what stands here begins a line. */
  #isLineStart = true;

  constructor(template: string) {
    this.#source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  }

  read(): Token[] {
    while (this.#at < this.#source.length) this.#readUpToTag();
    this.#add('eof', '');
    return this.#tokens;
  }

  #readUpToTag(): void {
    TAG.lastIndex = this.#at;
    const found = TAG.exec(this.#source);
    if (found === null) {
      this.#add('data', this.#source.slice(this.#at));
      this.#at = this.#source.length;
      return;
    }
    const [whole, rawSign, , tag, sign] = found;
    const text = this.#source.slice(this.#at, found.index);
    this.#addText(text, rawSign ?? sign!, tag === '{{');
    this.#moveTo(found.index + whole.length);
    if (tag === undefined) this.#readRaw();
    else if (tag === '{#') this.#skipComment();
    else this.#readTag(tag);
  }

  /** Text before a tag, without what the tag takes from it. */
  #addText(text: string, sign: string, isOutput: boolean): void {
    if (sign === '-') {
      this.#add('data', stripped(text, null, false, true));
      return;
    }
    const line = text.lastIndexOf('\n') + 1;
    const isIndent = (line > 0 || this.#isLineStart) && new RegExp(`^${SPACE}+$`).test(text.slice(line));
    this.#add('data', sign === '' && !isOutput && isIndent ? text.slice(0, line) : text);
  }

  #readRaw(): void {
    END_OF_RAW.lastIndex = this.#at;
    const end = END_OF_RAW.exec(this.#source);
    if (end === null) throw this.#error('Missing end of raw directive');
    this.#addText(this.#source.slice(this.#at, end.index), end[1]!, false);
    this.#moveTo(end.index + end[0].length);
  }

  #skipComment(): void {
    END_OF_COMMENT.lastIndex = this.#at;
    const end = END_OF_COMMENT.exec(this.#source);
    if (end === null) throw this.#error('Missing end of comment tag');
    this.#moveTo(end.index + end[0].length);
  }

  #readTag(tag: string): void {
    this.#add('begin', tag);
    const open: string[] = [];
    const endOfTag = tag === '{{' ? END_OF_OUTPUT : END_OF_BLOCK;
    for (;;) {
      const end = open.length === 0 ? this.#match(endOfTag) : undefined;
      if (end !== undefined) {
        this.#add('end', tag === '{{' ? '}}' : '%}');
        this.#moveTo(this.#at + end.length);
        return;
      }
      this.#readWord(open);
    }
  }

  #readWord(open: string[]): void {
    const spaces = this.#match(SPACES_INSIDE);
    if (spaces !== undefined) {
      this.#moveTo(this.#at + spaces.length);
      return;
    }
    for (const [kind, pattern] of WORDS) {
      const word = this.#match(pattern);
      if (word === undefined) continue;
      if (kind === 'operator') this.#balance(word, open);
      this.#add(kind, kind === 'string' ? unescaped(word.slice(1, -1)) : word);
      this.#moveTo(this.#at + word.length);
      return;
    }
    const character = this.#source[this.#at];
    throw this.#error(character === undefined ? 'the end of a tag is missing' : `unexpected char '${character}'`);
  }

  #balance(operator: string, open: string[]): void {
    const closing = CLOSING[operator];
    if (closing !== undefined) open.push(closing);
    if (!'})]'.includes(operator)) return;
    const expected = open.pop();
    if (expected !== operator) {
      throw this.#error(`unexpected '${operator}'${expected === undefined ? '' : `, expected '${expected}'`}`);
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#source)?.[0];
  }

  #add(kind: Token['kind'], value: string): void {
    if (kind !== 'data' || value !== '') this.#tokens.push({ kind, value, line: this.#line });
  }

  #moveTo(at: number): void {
    this.#isLineStart = this.#source[at - 1] === '\n';
    this.#line += this.#source.slice(this.#at, at).split('\n').length - 1;
    this.#at = at;
  }

  #error(message: string): Error {
    return new TemplateSyntaxError(`${message} (line ${this.#line})`);
  }
}

const SHORT: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A text with its escapes read as Python reads them; a backslash before any other character stays. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|(.))/gsu,
    (whole, x?: string, u?: string, long?: string, octal?: string, other?: string) => {
      const hexadecimal = x ?? u ?? long;
      if (hexadecimal !== undefined) return String.fromCodePoint(Number.parseInt(hexadecimal, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      if (other === 'N' || other === 'x' || other === 'u' || other === 'U' || other! > '\x7f') {
        throw new TemplateUnsupported(`the escape ${whole}`);
      }
      return SHORT[other!] ?? whole;
    },
  );
}
