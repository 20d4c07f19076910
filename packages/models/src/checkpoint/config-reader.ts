import { MetaapoError } from '@metaapo/core/contracts';

/** A parsed config.json, or an object inside it. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** Reads fields of a config.json; every fault names its field. */
export interface ConfigReader {
  /** A whole number above 0; `otherwise` where the field is absent or null. */
  count(field: string, otherwise?: number): number;
  /** A number above 0. */
  positive(field: string, otherwise?: number): number;
  oneOf<Name extends string>(field: string, names: readonly Name[]): Name;
  /** An object, or `undefined` where the field is absent or null. */
  object(field: string): RawConfig | undefined;
  /** @throws MetaapoError with code `checkpoint` */
  refuse(field: string, expected: string, got: unknown): never;
}

/**
 * A reader of an object.
 * @param file for messages
 * @param prefix of field names in messages, for objects inside config.json
 */
export function configReader(raw: RawConfig, file: string, prefix = ''): ConfigReader {
  const refuse = (field: string, expected: string, got: unknown): never => {
    throw new MetaapoError('checkpoint', `${prefix}${field} is ${got === undefined ? 'missing' : 'not supported'}`, {
      where: file,
      expected,
      got: got === undefined ? 'nothing' : JSON.stringify(got),
      remedy: 'Use a Llama, Qwen2, Qwen3 or Mistral checkpoint with standard settings',
    });
  };
  const number = (field: string, otherwise: number | undefined, accept: (x: number) => boolean, kind: string) => {
    const value = raw[field] ?? otherwise;
    return typeof value === 'number' && accept(value) ? value : refuse(field, kind, value);
  };
  return {
    refuse,
    count: (field, otherwise) =>
      number(field, otherwise, (x) => Number.isSafeInteger(x) && x > 0, 'a whole number above 0'),
    positive: (field, otherwise) => number(field, otherwise, (x) => x > 0, 'a number above 0'),
    oneOf: (field, names) => names.find((name) => name === raw[field]) ?? refuse(field, names.join(', '), raw[field]),
    object(field) {
      const value = raw[field] ?? undefined;
      if (value === undefined || isRecord(value)) return value;
      return refuse(field, 'an object', value);
    },
  };
}

/** True for an object that is no array. */
export function isRecord(value: unknown): value is RawConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
