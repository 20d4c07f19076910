import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';

/** A parsed config.json, or an object inside it. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** True for an object that is no array. */
export function isRecord(value: unknown): value is RawConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Largest size of anything that a tensor has rows or columns for. */
const LARGEST_SIZE = 2 ** 24;

const field = <Value>(expected: string, accepts: (value: unknown) => boolean): z.ZodType<Value> =>
  z.custom<Value>(accepts, expected);

/** A whole number from 1 to `largest`. */
export const count = (largest = LARGEST_SIZE): z.ZodType<number> =>
  field(
    `a whole number from 1 to ${largest}`,
    (x) => Number.isSafeInteger(x) && Number(x) >= 1 && Number(x) <= largest,
  );

/** A whole number from 0 on: an index of a layer. */
export const index = (): z.ZodType<number> =>
  field(
    `a whole number from 0 to ${LARGEST_SIZE}`,
    (x) => Number.isSafeInteger(x) && Number(x) >= 0 && Number(x) <= LARGEST_SIZE,
  );

/** A number above 0, of at most `largest`. */
export const positive = (largest: number): z.ZodType<number> =>
  field(`a number above 0, at most ${largest}`, (x) => typeof x === 'number' && x > 0 && x <= largest);

/** True or false. */
export const flag = (): z.ZodType<boolean> => field('true or false', (x) => typeof x === 'boolean');

/** One of some values. */
export const oneOf = <const Value extends string | number | boolean | null>(...values: Value[]): z.ZodType<Value> =>
  field(values.join(', '), (x) => values.some((value) => value === x));

/** A list of numbers above 0, each of at most `largest`. */
export const numbers = (largest: number): z.ZodType<readonly number[]> =>
  field(
    `a list of numbers above 0, at most ${largest}`,
    (x) => Array.isArray(x) && x.every((one) => typeof one === 'number' && one > 0 && one <= largest),
  );

/** An object. */
export const object = (): z.ZodType<RawConfig> => field('an object', isRecord);

const isId = (x: unknown): boolean => Number.isSafeInteger(x) && Number(x) >= 0;

/** The id of a token that ends responses, or several of them. */
export const endTokens = (): z.ZodType<number | readonly number[]> =>
  field('a token id or a list of them', (x) => (Array.isArray(x) ? x.every(isId) : isId(x)));

/** The id of a token; -1 is written for none. */
export const tokenId = (): z.ZodType<number> => field('a token id', (x) => isId(x) || x === -1);

/** Refuses a field of the file that is read. */
export type Refuse = (field: string, expected: string, got: unknown) => never;

/**
 * What refuses a field of a file.
 * @throws MetaapoError with code `checkpoint` that names the field
 */
export function refuseIn(file: string): Refuse {
  return (name, expected, got) => {
    throw new MetaapoError('checkpoint', `${name} is ${got === undefined ? 'missing' : 'not supported'}`, {
      where: file,
      expected,
      got: got === undefined ? 'nothing' : (JSON.stringify(got) ?? String(got)),
      remedy: 'Correct the file where it is wrong; otherwise use a checkpoint with standard settings of its family',
    });
  };
}

/**
 * Fields of an object by their schema.
 * @param prefix of their names in messages, for objects inside config.json
 * @throws MetaapoError with code `checkpoint` that names the first field which is missing or not supported
 */
export function parseFields<Shape extends z.ZodRawShape>(
  shape: Shape,
  raw: RawConfig,
  refuse: Refuse,
  prefix = '',
): z.output<z.ZodObject<Shape>> {
  const parsed = z.object(shape).safeParse(raw);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const name = String(path[0]);
  return refuse(`${prefix}${name}`, message, raw[name]);
}
