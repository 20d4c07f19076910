import type { StandardSchema } from './standard-schema.js';

/** What a schema says of one option. */
export interface OptionDescription {
  readonly name: string;
  /** Accepted values, such as `a number > 0`. */
  readonly accepts: string;
  /** True where it has to be given. */
  readonly isRequired: boolean;
  /** What is filled in where it is absent; `undefined`: nothing. */
  readonly default?: unknown;
  /** What it does, as the schema describes it; empty where it does not. */
  readonly meaning: string;
  /** Usual values, from the schema's metadata `usual`: `[low, high]`, or words. */
  readonly usual?: string | undefined;
  /** Where the default comes from, from the schema's metadata `defaultFrom`. */
  readonly defaultFrom?: string | undefined;
}

/** A JSON schema, as far as it is read here. */
interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
}

/**
 * The options that a schema takes, in its order, and after an option what is described inside of it: `lora.rank`,
 * `members[].weight`. Empty where the schema's library writes no JSON schema.
 */
export function describeOptions(schema: StandardSchema<unknown>): readonly OptionDescription[] {
  return describeProperties(jsonSchemaOf(schema) ?? {});
}

function describeProperties({ properties = {}, required = [] }: JsonSchema): readonly OptionDescription[] {
  return Object.entries(properties).flatMap(([name, option]) => {
    const [inner, separator] = typeof option.items === 'object' ? [option.items, '[].'] : [option, '.'];
    const described = describeProperties(inner).filter(({ meaning }) => meaning !== '');
    const own = describe(name, option, (required as readonly string[]).includes(name));
    return [own, ...described.map((nested) => ({ ...nested, name: `${name}${separator}${nested.name}` }))];
  });
}

function describe(name: string, option: JsonSchema, isRequired: boolean): OptionDescription {
  return {
    name,
    accepts: acceptedBy(option),
    isRequired,
    default: option.default,
    meaning: textOf(option.description) ?? '',
    usual: Array.isArray(option.usual) ? `${option.usual[0]} to ${option.usual[1]}` : textOf(option.usual),
    defaultFrom: textOf(option.defaultFrom),
  };
}

/** What a schema accepts at a path inside its value, in words; `undefined` where it does not say. */
export function acceptedAt(schema: StandardSchema<unknown>, path: readonly string[]): string | undefined {
  if (path.length === 0) return 'options by name';
  const inner = schemasAt(schema, path);
  return inner.length === 0 ? undefined : oneOf(inner);
}

/** Keys that a schema knows at a path inside its value. */
export function keysAt(schema: StandardSchema<unknown>, path: readonly string[]): readonly string[] {
  return schemasAt(schema, path).flatMap(({ properties = {} }) => Object.keys(properties));
}

function jsonSchemaOf(schema: StandardSchema<unknown>): JsonSchema | undefined {
  try {
    return schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as JsonSchema | undefined;
  } catch {
    // What JSON schema has no words for.
    return undefined;
  }
}

/** The schemas of the value at a path: several where a value may be one of several kinds. */
function schemasAt(schema: StandardSchema<unknown>, path: readonly string[]): readonly JsonSchema[] {
  const root = jsonSchemaOf(schema);
  return path.reduce<readonly JsonSchema[]>(
    (found, key) => found.flatMap((one) => kindsOf(insideOf(one, key))),
    root === undefined ? [] : kindsOf(root),
  );
}

function insideOf({ properties, items, prefixItems, additionalProperties }: JsonSchema, key: string): JsonSchema {
  const inner = properties?.[key] ?? prefixItems?.[Number(key)] ?? items ?? additionalProperties;
  return typeof inner === 'object' ? inner : {};
}

function kindsOf(schema: JsonSchema): readonly JsonSchema[] {
  const kinds = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined;
  if (kinds !== undefined) return kinds.flatMap(kindsOf);
  return Object.keys(schema).length === 0 ? [] : [schema];
}

const oneOf = (schemas: readonly JsonSchema[]): string => listed([...new Set(schemas.map(acceptedBy))]);

function acceptedBy(schema: JsonSchema): string {
  const kinds = kindsOf(schema);
  if (kinds.length > 1) return oneOf(kinds);
  if ('const' in schema) return `\`${schema.const}\``;
  if (Array.isArray(schema.enum)) return listed(schema.enum.map((value) => `\`${value}\``));
  switch (schema.type) {
    case 'number':
      return `a number${numberBounds(schema)}`;
    case 'integer':
      return `a whole number${numberBounds(schema)}`;
    case 'boolean':
      return '`true` or `false`';
    case 'string':
      return `a text${count(undefined, schema.maxLength, 'character')}`;
    case 'array':
      return acceptedList(schema);
    case 'object':
      return acceptedObject(schema);
    default:
      return 'any value';
  }
}

function acceptedList({ prefixItems, items, minItems, maxItems }: JsonSchema): string {
  if (prefixItems !== undefined) return `[${prefixItems.map(acceptedBy).join(', ')}]`;
  const each = typeof items === 'object' ? `, each ${acceptedBy(items)}` : '';
  return `a list${count(minItems, maxItems, 'entry')}${each}`;
}

function acceptedObject({ properties = {}, required = [], additionalProperties }: JsonSchema): string {
  const entries = Object.entries(properties).map(([name, inner]) => {
    const isOptional = !(required as readonly string[]).includes(name);
    return 'const' in inner ? `${name}: ${inner.const}` : `${name}${isOptional ? '?' : ''}`;
  });
  if (entries.length === 0) return 'entries by name';
  const others = typeof additionalProperties === 'object' ? ['...'] : [];
  return `\`{ ${[...entries, ...others].join(', ')} }\``;
}

/** Bounds that mean nothing are those of the whole numbers that a double holds. */
function numberBounds(schema: JsonSchema): string {
  const { minimum: least, maximum: most, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  const from = typeof least === 'number' && least > Number.MIN_SAFE_INTEGER ? least : undefined;
  const to = typeof most === 'number' && most < Number.MAX_SAFE_INTEGER ? most : undefined;
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}`;
  const bounds = [
    typeof above === 'number' && `> ${above}`,
    from !== undefined && `>= ${from}`,
    typeof below === 'number' && `< ${below}`,
    to !== undefined && `<= ${to}`,
  ].filter(Boolean);
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

function count(least: unknown, most: unknown, unit: 'character' | 'entry'): string {
  const many = unit === 'entry' ? 'entries' : 'characters';
  const atLeast = typeof least === 'number' && least > 0;
  if (atLeast && typeof most === 'number') return ` of ${least} to ${most} ${many}`;
  if (atLeast) return ` of at least ${least} ${least === 1 ? unit : many}`;
  return typeof most === 'number' ? ` of at most ${most} ${many}` : '';
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
