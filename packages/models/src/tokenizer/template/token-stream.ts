import type { Token } from './read-tokens.js';
import { TemplateSyntaxError } from './template-errors.js';

/** Tokens, taken one after another. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at]!;
  }

  get following(): Token {
    return this.#tokens[this.#at + 1] ?? this.current;
  }

  /** The current token, and moves on. */
  next(): Token {
    const token = this.current;
    if (token.kind !== 'eof') this.#at += 1;
    return token;
  }

  /** True when the current token is that operator, or one of those. */
  isOperator(...operators: readonly string[]): boolean {
    return this.current.kind === 'operator' && operators.includes(this.current.value);
  }

  /** True when the current token is that word, or one of those. */
  isName(...names: readonly string[]): boolean {
    return this.current.kind === 'name' && names.includes(this.current.value);
  }

  /** Moves on when the current token is that operator or word, and says whether it was. */
  skip(kind: 'operator' | 'name', value: string): boolean {
    const isThere = this.current.kind === kind && this.current.value === value;
    if (isThere) this.next();
    return isThere;
  }

  /**
   * The current token, which has to be of that kind, and of that value where one is given; moves on.
   * @throws TemplateSyntaxError
   */
  expect(kind: Token['kind'], value?: string): Token {
    const { current } = this;
    if (current.kind === kind && (value === undefined || current.value === value)) return this.next();
    throw this.error(`expected ${value ?? kind}, got '${current.value || current.kind}'`);
  }

  /** A syntax error at the current token. */
  error(message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(`${message} (line ${this.current.line})`);
  }
}
