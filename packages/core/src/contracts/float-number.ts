const MARK = Symbol.for('metaapo.float-number');

/**
 * A number that its data write as a float although it is whole, such as 1.0: JavaScript does not tell it from 1, and a chat
 * template prints it in another way. It computes, compares and serialises as the number.
 */
export class FloatNumber {
  readonly [MARK] = true;

  constructor(readonly value: number) {}

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** True for a {@link FloatNumber}, of another copy of this package too. */
export function isFloatNumber(value: unknown): value is FloatNumber {
  return typeof value === 'object' && value !== null && MARK in value;
}
