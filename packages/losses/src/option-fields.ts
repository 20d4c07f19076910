import { deepFrozen, MetaapoError } from '@metaapo/core/contracts';

/** One option of a loss, declared once: validation, warnings, defaults and the documentation all come from it. */
export interface OptionField<Value> {
  readonly default: Value;
  /** Accepted values in words, for errors and the docs. */
  readonly accepts: string;
  /** Usual values in words; outside them the loss carries a warning. */
  readonly typical: string;
  /** Which way the option pushes. */
  readonly effect: string;
  /** Where the default comes from: the method's paper, or a convention where the paper names none. */
  readonly defaultFrom: string;
  /** True when the value is accepted. */
  accepted(value: unknown): value is Value;
  /** True when the value lies within the usual ones. */
  usual(value: Value): boolean;
}

/** The fields of all options of a loss. */
export type OptionFields<Options> = {
  readonly [Name in keyof Options]-?: OptionField<Exclude<Options[Name], undefined>>;
};

/** Bounds of a number: `above`/`below` exclude the bound, `atLeast`/`atMost` include it. */
export interface NumberBounds {
  readonly above?: number;
  readonly atLeast?: number;
  readonly below?: number;
  readonly atMost?: number;
}

/** What every field states in words. */
interface FieldWords {
  readonly effect: string;
  readonly defaultFrom: string;
}

/** A finite number within bounds, with a usual range `[low, high]`. */
export function numberField(
  field: FieldWords & {
    readonly default: number;
    readonly bounds: NumberBounds;
    readonly usual: readonly [number, number];
  },
): OptionField<number> {
  const { bounds, usual, ...words } = field;
  const text = [
    bounds.above !== undefined && `> ${bounds.above}`,
    bounds.atLeast !== undefined && `>= ${bounds.atLeast}`,
    bounds.below !== undefined && `< ${bounds.below}`,
    bounds.atMost !== undefined && `<= ${bounds.atMost}`,
  ].filter(Boolean);
  return {
    ...words,
    accepts: ['a number', ...text].join(' '),
    typical: `${usual[0]} to ${usual[1]}`,
    accepted: (value): value is number =>
      typeof value === 'number' &&
      Number.isFinite(value) &&
      value > (bounds.above ?? Number.NEGATIVE_INFINITY) &&
      value >= (bounds.atLeast ?? Number.NEGATIVE_INFINITY) &&
      value < (bounds.below ?? Number.POSITIVE_INFINITY) &&
      value <= (bounds.atMost ?? Number.POSITIVE_INFINITY),
    usual: (value) => value >= usual[0] && value <= usual[1],
  };
}

/** True or false. */
export function booleanField(field: FieldWords & { readonly default: boolean }): OptionField<boolean> {
  return {
    ...field,
    accepts: 'true or false',
    typical: 'either',
    accepted: (value): value is boolean => typeof value === 'boolean',
    usual: () => true,
  };
}

/** Options with every default filled in, frozen, and the warnings that they raise. */
export interface ResolvedOptions<Options> {
  readonly options: Readonly<Required<Options>>;
  readonly warnings: readonly string[];
}

/** What is wrong with one option. */
export interface OptionProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** Problems of given options against their fields; empty when there are none. An option that is `undefined` is absent. */
export function optionProblems<Options>(fields: OptionFields<Options>, given: unknown): readonly OptionProblem[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [{ path: [], message: `expected an object of options, got ${JSON.stringify(given)}` }];
  }
  const known = fields as Readonly<Record<string, OptionField<unknown>>>;
  return Object.entries(given).flatMap(([name, value]) => {
    const field = Object.hasOwn(known, name) ? known[name] : undefined;
    if (field === undefined) {
      return [{ path: [name], message: `unknown option; known are ${Object.keys(known).join(', ')}` }];
    }
    return value === undefined || field.accepted(value)
      ? []
      : [{ path: [name], message: `expected ${field.accepts}, got ${shown(value)}` }];
  });
}

/**
 * Options with every default filled in.
 * @throws MetaapoError with code `config` for an unknown option or a value that is not accepted.
 */
export function resolveOptions<Options extends object>(
  lossId: string,
  fields: OptionFields<Options>,
  given: Options,
): ResolvedOptions<Options> {
  const problem = optionProblems(fields, given)[0];
  if (problem !== undefined) {
    throw new MetaapoError('config', problem.message, {
      where: ['loss', lossId, ...problem.path].join(' '),
      remedy: 'Correct the option in the recipe or in the call of the factory',
    });
  }
  const known = fields as Readonly<Record<string, OptionField<unknown>>>;
  const values = given as Readonly<Record<string, unknown>>;
  const options: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [name, field] of Object.entries(known)) {
    const value = values[name] === undefined ? field.default : values[name];
    options[name] = deepFrozen(structuredClone(value));
    if (!field.usual(value)) {
      warnings.push(`loss ${lossId}: ${name} ${shown(value)} is outside the usual ${field.typical}. ${field.effect}`);
    }
  }
  return { options: Object.freeze(options) as Readonly<Required<Options>>, warnings: Object.freeze(warnings) };
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
}
