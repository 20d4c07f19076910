import { isEqual, itemsOf, lengthOf } from './comparisons.js';
import { TemplateRefusal } from './template-errors.js';
import { Callable, Lazy, type List, Undefined, type Value } from './values.js';

/** Where a loop is: what `loop` stands for in its body. Items are taken ahead only as far as somebody asks. */
export class LoopState {
  readonly #source: Value;
  #iterator: Iterator<Value>;
  #length: number | undefined;
  #next: IteratorResult<Value> | undefined;
  #current: Value | undefined;
  #before: Value | undefined;
  #changed: List | undefined;
  index0 = -1;

  constructor(source: Value) {
    this.#source = source;
    this.#iterator = itemsOf(source)[Symbol.iterator]();
  }

  /** The next item, or `undefined` at the end. */
  advance(): Value | undefined {
    const { done, value } = this.#peek();
    if (done) return undefined;
    this.#next = undefined;
    this.index0 += 1;
    this.#before = this.#current;
    this.#current = value;
    return value;
  }

  /** What `loop.name` is; `undefined` for a name that a loop has not. */
  attribute(name: string): Value | undefined {
    return ATTRIBUTES[name]?.(this);
  }

  get length(): number {
    if (this.#length !== undefined) return this.#length;
    if (!(this.#source instanceof Lazy)) {
      this.#length = lengthOf(this.#source);
      return this.#length;
    }
    const rest = [...{ [Symbol.iterator]: () => this.#iterator }];
    this.#iterator = rest.values();
    this.#length = rest.length + this.index0 + 1 + (this.#next && !this.#next.done ? 1 : 0);
    return this.#length;
  }

  get isLast(): boolean {
    return this.#peek().done === true;
  }

  get previous(): Value {
    return this.#before === undefined ? new Undefined('there is no previous item') : this.#before;
  }

  get following(): Value {
    const { done, value } = this.#peek();
    return done ? new Undefined('there is no next item') : value;
  }

  /** True when it is called with other values than the last time. */
  hasChanged(values: readonly Value[]): boolean {
    const isSame = this.#changed !== undefined && isEqual(this.#changed, [...values]);
    this.#changed = [...values];
    return !isSame;
  }

  #peek(): IteratorResult<Value> {
    this.#next ??= this.#iterator.next();
    return this.#next;
  }
}

const ATTRIBUTES: Readonly<Record<string, (loop: LoopState) => Value>> = {
  index: (loop) => loop.index0 + 1,
  index0: (loop) => loop.index0,
  revindex: (loop) => loop.length - loop.index0,
  revindex0: (loop) => loop.length - loop.index0 - 1,
  first: (loop) => loop.index0 === 0,
  last: (loop) => loop.isLast,
  length: (loop) => loop.length,
  depth: () => 1,
  depth0: () => 0,
  previtem: (loop) => loop.previous,
  nextitem: (loop) => loop.following,
  cycle: (loop) =>
    new Callable(({ positional }) => {
      if (positional.length === 0) throw new TemplateRefusal('no items for cycling given');
      return positional[loop.index0 % positional.length]!;
    }),
  changed: (loop) => new Callable(({ positional }) => loop.hasChanged(positional)),
};
