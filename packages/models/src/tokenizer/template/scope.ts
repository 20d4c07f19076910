import type { Budget } from './render-tools.js';
import { Undefined, type Value } from './values.js';

/** Names and their values, each scope inside another. */
export class Scope {
  readonly #values = new Map<string, Value>();

  /** @param outer the scope around this one */
  constructor(
    readonly budget: Budget,
    readonly outer?: Scope,
  ) {}

  /** A scope inside this one. */
  inner(): Scope {
    return new Scope(this.budget, this);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** The value of a name here or further out; something undefined where there is none. */
  get(name: string): Value {
    for (let scope: Scope | undefined = this; scope; scope = scope.outer) {
      const value = scope.#values.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`'${name}' is undefined`);
  }
}

/** What a rendering has written so far. */
export class Output {
  readonly #parts: string[] = [];

  constructor(readonly budget: Budget) {}

  write(text: string): void {
    this.budget.write(text);
    this.#parts.push(text);
  }

  text(): string {
    return this.#parts.join('');
  }
}
