import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import core from '@metaapo/core';
import {
  type AnyPart,
  describeOptions,
  isMetaapoError,
  LOSS,
  type LossState,
  META_LEARNER,
  MetaapoError,
  type MetaLearner,
  type PartContext,
  type PreferenceLoss,
  parseOptions,
  partName,
  type TextModel,
  TRACKER,
  type Tracker,
} from '@metaapo/core/contracts';
import losses from '@metaapo/losses';
import metaLearners from '@metaapo/meta-learners';
import models from '@metaapo/models';
import rewards from '@metaapo/rewards';
import rules from '@metaapo/rules';
import samplers from '@metaapo/samplers';
import tinker from '@metaapo/tinker';
import trackers from '@metaapo/trackers';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const plugins = [core, losses, metaLearners, models, rewards, rules, samplers, tinker, trackers];
const parts = plugins
  .flatMap((plugin) => plugin.parts)
  .map((part: AnyPart) => [partName(part.slot, part.id), part] as const);

/** A JSON schema, as far as this test reads it. */
interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

const schemaOf = (part: AnyPart): JsonSchema =>
  part.options['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as JsonSchema;

const kindsOf = ({ anyOf, oneOf, prefixItems, items, properties = {} }: JsonSchema): readonly JsonSchema[] => [
  ...(anyOf ?? oneOf ?? []),
  ...(prefixItems ?? []),
  ...(typeof items === 'object' ? [items] : []),
  ...Object.values(properties),
];

/** What of a schema has no end, or takes keys that nobody reads. */
function endless(schema: JsonSchema, path: string): readonly string[] {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum, maxLength, maxItems } = schema;
  const isBound = (bound: unknown): boolean => typeof bound === 'number' && Math.abs(bound) <= 1e12;
  const isChoice = 'const' in schema || 'enum' in schema;
  const isPart = schema.properties !== undefined && 'id' in schema.properties;
  const faults = [
    (type === 'number' || type === 'integer') &&
      !isChoice &&
      !((isBound(minimum) || isBound(exclusiveMinimum)) && (isBound(maximum) || isBound(exclusiveMaximum))) &&
      'a number without bounds',
    type === 'string' && !isChoice && typeof maxLength !== 'number' && 'a text without a most',
    type === 'array' && schema.prefixItems === undefined && typeof maxItems !== 'number' && 'a list without a most',
    type === 'object' &&
      schema.properties !== undefined &&
      schema.additionalProperties !== false &&
      !isPart &&
      'any key',
  ];
  const own = faults.filter((fault) => fault !== false).map((fault) => `${path}: ${fault}`);
  return [...own, ...kindsOf(schema).flatMap((inner, at) => endless(inner, `${path} ${at}`))];
}

describe.each(parts)('options of %s', (name, part) => {
  it('have bounds at every depth, take no key that nobody reads, and are described', () => {
    expect(endless(schemaOf(part), name)).toEqual([]);
    expect(describeOptions(part.options).filter(({ meaning }) => meaning === '')).toEqual([]);
  });

  it('are accepted or refused in a paragraph, and accepted ones make the part or say why not', async () => {
    await fc.assert(
      fc.asyncProperty(optionsOf(part), async (given) => {
        const options = settled(() => parseOptions(name, part.options, given));
        if (options === undefined) return;
        expect(numbersIn(options).filter((number) => !Number.isFinite(number))).toEqual([]);
        expect(parseOptions(name, part.options, options)).toEqual(options);
        await use(part, options);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

/** The value of a call; `undefined` where it ends in a paragraph. Any other error is thrown on. */
function settled<Value>(call: () => Value): Value | undefined {
  try {
    return call();
  } catch (error) {
    if (isMetaapoError(error)) return undefined;
    throw error;
  }
}

/** Options by a schema, some of them replaced by anything, and some keys that it does not know. */
function optionsOf(part: AnyPart): fc.Arbitrary<unknown> {
  const known = Object.entries(schemaOf(part).properties ?? {}).map(([key, option]) => [key, ofKind(option)] as const);
  const requiredKeys = (schemaOf(part).required as string[] | undefined) ?? [];
  const record = fc.record(Object.fromEntries(known), { requiredKeys });
  const withOthers = fc.tuple(record, fc.dictionary(fc.string(), anything(), { maxKeys: 2 }));
  return fc.oneof(
    { arbitrary: record, weight: 8 },
    { arbitrary: withOthers.map(([own, others]) => ({ ...own, ...others })), weight: 2 },
    { arbitrary: anything(), weight: 1 },
  );
}

function anything(): fc.Arbitrary<unknown> {
  return fc.anything({
    withBigInt: true,
    withDate: true,
    withNullPrototype: true,
    withTypedArray: true,
    withMap: true,
  });
}

function ofKind(schema: JsonSchema): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: acceptable(schema), weight: 12 }, { arbitrary: anything(), weight: 1 });
}

function acceptable(schema: JsonSchema): fc.Arbitrary<unknown> {
  const kinds = schema.anyOf ?? schema.oneOf;
  if (kinds !== undefined) return fc.oneof(...kinds.map(acceptable));
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'number':
    case 'integer':
      return numberWithin(schema);
    case 'boolean':
      return fc.boolean();
    case 'string':
      return fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('http://localhost:1/v1', 'dpo', 'length', 'a\0b'),
      );
    case 'array':
      return schema.prefixItems !== undefined
        ? fc.tuple(...schema.prefixItems.map(ofKind))
        : fc.array(ofKind(schema.items ?? {}), { maxLength: 4 });
    case 'object':
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, inner]) => [key, ofKind(inner)])),
        { requiredKeys: (schema.required as string[] | undefined) ?? [] },
      );
    default:
      return fc.jsonValue();
  }
}

/** Within the bounds, at them, beyond them, and at what is no number. */
function numberWithin({
  type,
  minimum,
  exclusiveMinimum,
  maximum,
  exclusiveMaximum,
}: JsonSchema): fc.Arbitrary<number> {
  const [least, most] = [minimum ?? exclusiveMinimum, maximum ?? exclusiveMaximum] as [number, number];
  const spread = fc.double({ min: 0, max: 1, noNaN: true }).map((share) => least + share ** 4 * (most - least));
  const inside = type === 'integer' ? spread.map(Math.round) : spread;
  const outside = fc.constantFrom(least - 1, most + 1, 1e308, -1e308, Number.NaN, Number.POSITIVE_INFINITY, 0.5);
  return fc.oneof({ arbitrary: inside, weight: 6 }, { arbitrary: fc.constantFrom(least, most), weight: 2 }, outside);
}

function numbersIn(value: unknown): readonly number[] {
  if (typeof value === 'number') return [value];
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.values(value).flatMap(numbersIn);
}

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'metaapo-options-'));
  await tf.setBackend('cpu');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const made = new Map(parts.map(([, part]) => [part.id, part]));

/** A policy that writes nothing: samplers are made here and not asked. */
const policy = {
  model: { generate: async function* () {} },
  tokenizer: { decode: () => '', encode: () => new Int32Array(0), hasChatTemplate: false },
  eosTokenIds: [0],
} as unknown as TextModel;

/** Makes nested parts as a composer does. */
const contextOf = (): PartContext => ({
  baseDirectory: directory,
  report: () => undefined,
  env: { KEY: 'value' },
  policy,
  makePart: async (slot, { id, ...given }) => {
    const part = made.get(id);
    if (part === undefined) throw new MetaapoError('plugin', 'there is no part with this id', { where: id });
    return part.create(parseOptions(partName(slot, id), part.options, given), contextOf());
  },
});

/** Makes a part, computes with it where that needs nothing else, and closes it. */
async function use(part: AnyPart, options: unknown): Promise<void> {
  // Paths lead into the directory of this test alone.
  if (/"(?:[/~]|[^"]*\.\.)/.test(JSON.stringify(options))) return;
  let instance: unknown;
  try {
    instance = await part.create(options, contextOf());
  } catch (error) {
    if (isMetaapoError(error)) return;
    throw error;
  }
  // What the file system says of a path is put in a paragraph where a command ends.
  if (part.slot === TRACKER) await Promise.resolve((instance as Tracker).close()).catch(() => undefined);
  if (part.slot === LOSS) computeLoss(instance as PreferenceLoss);
  if (part.slot === META_LEARNER) learn(instance as MetaLearner);
}

/** The loss of two ordinary pairs is a finite number under every option that is accepted. */
function computeLoss(loss: PreferenceLoss): void {
  tf.tidy(() => {
    const of = (...values: number[]): tf.Tensor1D => tf.tensor1d(values);
    const logprobs = {
      policyChosen: of(-12, -3),
      policyRejected: of(-15, -2),
      referenceChosen: of(-13, -4),
      referenceRejected: of(-14, -1),
      chosenTokens: of(4, 2),
      rejectedTokens: of(5, 3),
    };
    const { perPair } = loss.compute(logprobs, loss.initialState as LossState | undefined);
    expect([...perPair.dataSync()].filter((value) => !Number.isFinite(value))).toEqual([]);
  });
}

/** One update leaves a state of finite numbers, and weights from 0 to 1. */
function learn(learner: MetaLearner): void {
  const rows = {
    logSigmoidScore: Float32Array.of(-3, -0.7),
    chosenTokens: Int32Array.of(4, 2),
    rejectedTokens: Int32Array.of(5, 3),
    chosenEntropy: Float32Array.of(1, 2),
    rejectedEntropy: Float32Array.of(2, 1),
    iteration: 1,
  };
  const losses = { offlineLoss: Float32Array.of(2, 0.5), onlineLoss: Float32Array.of(0.4, 0.9) };
  const { state } = learner.update(learner.initialState(0), { ...rows, ...losses });
  const all = Object.values(state).flatMap(({ values }) => [...values]);
  expect(all.filter((value) => !Number.isFinite(value))).toEqual([]);
  for (const weight of learner.weights(state, rows)) expect(weight >= 0 && weight <= 1, `${weight}`).toBe(true);
}
