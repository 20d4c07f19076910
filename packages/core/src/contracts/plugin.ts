import { MetaapoError } from './errors.js';
import type { Slot } from './slots.js';
import type { StandardSchema } from './standard-schema.js';
import type { TextModel } from './text-model.js';

/** Version of the contract between core and plugins. */
export const CONTRACT = 1;

/** What a part may ask of the run that creates it. */
export interface PartContext {
  /** Directory that relative paths in the part's options start from. */
  readonly baseDirectory: string;
  /** The policy with its tokenizer, where the run has one; borrowed. */
  readonly policy?: TextModel | undefined;
  /** Says one line to the user. */
  readonly report: (line: string) => void;
  /** Makes a part that another one is made of, from its id and options; absent outside of a composed run. */
  readonly makePart?:
    | (<Part>(slot: Slot<Part>, recipe: { readonly id: string; readonly [option: string]: unknown }) => Promise<Part>)
    | undefined;
  /** Inspects a part that another one is made of, while that is inspected; absent outside of a composed run. */
  readonly inspectPart?:
    | (<Part>(
        slot: Slot<Part>,
        recipe: { readonly id: string; readonly [option: string]: unknown },
      ) => Promise<PartOutlook>)
    | undefined;
  /** Environment variables: keys and tokens are read from here, never from options. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The day that chat templates write which ask for the date; absent: today. */
  readonly templateDate?: Date | undefined;
  /** Aborted when the run is interrupted. */
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a part that was not made. */
export interface PartOutlook {
  /** Bytes of memory that it will take on this machine. */
  readonly memory?: number | undefined;
  /** Of a reward model: see `RewardModel.isRelative`. */
  readonly isRelative?: boolean | undefined;
  /** Of an annotation rule: see `AnnotationRule.scoresInRounds`. */
  readonly scoresInRounds?: boolean | undefined;
}

/** What is known of several parts together. */
export function sumOfOutlooks(outlooks: readonly PartOutlook[]): PartOutlook {
  const known = outlooks.flatMap(({ memory }) => memory ?? []);
  return {
    ...(known.length > 0 && { memory: known.reduce((sum, bytes) => sum + bytes, 0) }),
    ...(outlooks.some(({ isRelative }) => isRelative === true) && { isRelative: true }),
    ...(outlooks.some(({ scoresInRounds }) => scoresInRounds === true) && { scoresInRounds: true }),
  };
}

/** A part that a plugin offers: its slot, its id inside the slot, and how to make it from options. */
export interface PartDefinition<Part, Options = unknown> {
  readonly slot: Slot<Part>;
  /** Kebab-case id, unique inside the slot. */
  readonly id: string;
  /** One sentence for lists. */
  readonly summary: string;
  /** Checks the options of a recipe and fills in defaults. */
  readonly options: StandardSchema<Options>;
  /** Makes the part from checked options. */
  create(options: Options, context: PartContext): Part | Promise<Part>;
  /**
   * What can be said of the part before a run pays for anything: looks at the files and servers that it would open, and
   * opens no weights. Absent where there is nothing to look at.
   * @throws MetaapoError for what the part would fail on
   */
  inspect?(options: Options, context: PartContext): Promise<PartOutlook>;
}

/** A part of any slot. */
// biome-ignore lint/suspicious/noExplicitAny: the options of a heterogeneous list cannot be named; its schema checks them.
export type AnyPart = PartDefinition<any, any>;

/** What a plugin package exports by default: plain data; importing it does nothing. */
export interface Plugin {
  /** The package's name, for messages. */
  readonly name: string;
  readonly contract: typeof CONTRACT;
  readonly parts: readonly AnyPart[];
}

/** The definition itself; a function only so that TypeScript checks it. */
export function definePart<Part, Options>(part: PartDefinition<Part, Options>): PartDefinition<Part, Options> {
  return Object.freeze(part);
}

/**
 * A frozen plugin.
 * @throws MetaapoError with code `plugin` when the contract's number is another one, or an id is no kebab-case word
 */
export function definePlugin(plugin: Plugin): Plugin {
  checkPlugin(plugin);
  return Object.freeze({ ...plugin, parts: Object.freeze([...plugin.parts]) });
}

/** @throws MetaapoError with code `plugin` when a value is not a plugin of this contract. */
export function checkPlugin(value: unknown, where?: string): asserts value is Plugin {
  const { name, contract, parts } = (value ?? {}) as Partial<Record<keyof Plugin, unknown>>;
  const refuse = (summary: string, expected: string, got: unknown): never => {
    throw new MetaapoError('plugin', summary, {
      where: where ?? `plugin ${typeof name === 'string' ? name : '(unnamed)'}`,
      expected,
      got: JSON.stringify(got) ?? String(got),
      remedy: 'Make the default export with definePlugin({ name, contract, parts }) of @metaapo/core/contracts',
    });
  };
  if (typeof name !== 'string' || name === '') refuse('it has no name', "the package's name", name);
  if (contract !== CONTRACT) refuse('it is written for another contract', `contract ${CONTRACT}`, contract);
  if (!Array.isArray(parts)) refuse('it lists no parts', 'an array of parts', parts);
  for (const listed of parts as readonly (Partial<AnyPart> | null | undefined)[]) {
    const part = listed ?? {};
    if (typeof part.id !== 'string' || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(part.id)) {
      refuse('a part has no kebab-case id', 'an id such as my-loss', part.id);
    }
    if (typeof part.slot !== 'symbol') refuse(`part ${part.id} has no slot`, 'a slot such as LOSS', part.slot);
    if (typeof part.create !== 'function') refuse(`part ${part.id} has no create`, 'a function', part.create);
    if (part.options?.['~standard'] === undefined)
      refuse(`part ${part.id} has no options schema`, 'a schema', undefined);
  }
}
