import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeOptions, parseOptions } from './index.js';

const schema = z
  .strictObject({
    beta: z
      .number()
      .positive()
      .max(10)
      .default(0.1)
      .meta({
        description: 'Larger holds closer.',
        usual: [0.01, 0.5],
        defaultFrom: 'paper',
      }),
    names: z.array(z.string().min(1).max(8)).min(1).max(3).readonly(),
    mode: z.enum(['one', 'two']).default('one').describe('How.'),
    limit: z.union([z.int().min(1).max(9), z.literal(false)]).default(false),
    betas: z
      .tuple([z.number().min(0).lt(1), z.number()])
      .readonly()
      .optional(),
    kind: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('plain') }),
        z.strictObject({ kind: z.literal('alpha'), alpha: z.number().gt(0).max(1).default(0.5) }),
      ])
      .default({ kind: 'plain' }),
    body: z.record(z.string(), z.json()).optional(),
  })
  .refine(({ mode, limit }) => mode === 'one' || limit !== false, { path: ['limit'], message: 'mode two needs it' });

const names = ['a'];
const messageOf = (given: unknown): string => {
  try {
    parseOptions('sampler kite', schema, given);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};
const REMEDY = 'Correct the option in the recipe or in the call of the factory.';

describe('options', () => {
  it('come out with defaults filled in, frozen to the bottom', () => {
    const options = parseOptions('sampler kite', schema, { names });
    expect(options).toEqual({ names, beta: 0.1, mode: 'one', limit: false, kind: { kind: 'plain' } });
    expect([options, options.names, options.kind].every(Object.isFrozen)).toBe(true);
  });

  it.each([
    [{ names, betta: 1 }, 'sampler kite: unknown option betta. Did you mean beta?'],
    [
      { names, 'a\u001b[2J': 1 },
      'sampler kite: unknown option a\\u001b[2J. Known are beta, betas, body, kind, limit, mode, names.',
    ],
    [{ names, kind: { kind: 'alpha', alfa: 1 } }, 'sampler kite kind: unknown option alfa. Did you mean alpha?'],
    [{ names, beta: -1 }, `sampler kite beta: it is not accepted. Expected a number > 0 and <= 10; got -1. ${REMEDY}`],
    [
      {},
      `sampler kite names: it is missing. Expected a list of 1 to 3 entries, each a text of at most 8 characters; got nothing. ${REMEDY}`,
    ],
    [
      { names: [7] },
      `sampler kite names 0: it is not accepted. Expected a text of at most 8 characters; got 7. ${REMEDY}`,
    ],
    [
      { names, mode: 'three' },
      `sampler kite mode: it is not accepted. Expected \`one\` or \`two\`; got "three". ${REMEDY}`,
    ],
    [
      { names, limit: 1.5 },
      `sampler kite limit: it is not accepted. Expected a whole number from 1 to 9 or \`false\`; got 1.5. ${REMEDY}`,
    ],
    [
      { names, betas: [1] },
      `sampler kite betas: it is not accepted. Expected [a number >= 0 and < 1, a number]; got [1]. ${REMEDY}`,
    ],
    [
      { names, kind: 'alpha' },
      `sampler kite kind: it is not accepted. Expected \`{ kind: plain }\` or \`{ kind: alpha, alpha? }\`; got "alpha". ${REMEDY}`,
    ],
    [
      { names, kind: { kind: 'alpha', alpha: 2 } },
      `sampler kite kind alpha: it is not accepted. Expected a number > 0 and <= 1; got 2. ${REMEDY}`,
    ],
    [{ names, mode: 'two' }, `sampler kite limit: mode two needs it. Got nothing. ${REMEDY}`],
    ['kite', `sampler kite: it is not accepted. Expected options by name; got "kite". ${REMEDY}`],
    [
      { names, mode: 'x'.repeat(500) },
      `sampler kite mode: it is not accepted. Expected \`one\` or \`two\`; got "${'x'.repeat(299)}... (502 characters). ${REMEDY}`,
    ],
  ])('that are wrong are named with what would be right: %j', (given, message) => {
    expect(messageOf(given)).toBe(message);
  });

  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])(
    'never hold %d, at any depth and under any schema',
    (value) => {
      const anything = z.looseObject({});
      expect(() => parseOptions('loss kite', anything, { a: [{ b: value }] })).toThrow(
        `loss kite a 0 b: it is not a finite number. Got ${value}`,
      );
      expect(messageOf({ names, beta: value })).toContain('beta: it is not a finite number');
    },
  );

  it('are no value inside itself, and have no key of all objects', () => {
    const inside: { body: Record<string, unknown>; names: string[] } = { names, body: {} };
    inside.body.again = inside.body;
    expect(messageOf(inside)).toContain('it lies more than 32 levels deep. Got an object');
    expect(messageOf(JSON.parse('{"names": ["a"], "body": {"__proto__": 1}}'))).toContain('cannot have this name');
  });

  it.each([
    ['a typed array', Float32Array.of(1), 'no plain object or list'],
    ['a map', new Map(), 'no plain object or list'],
    ['a text with NUL', 'a\0b', 'the character NUL'],
  ])('are never %s, under any schema', (_, value, message) => {
    expect(() => parseOptions('loss kite', z.looseObject({}), { a: value })).toThrow(`loss kite a: it`);
    expect(() => parseOptions('loss kite', z.looseObject({}), { a: value })).toThrow(message);
  });

  it('are refused in a paragraph where a check of the schema throws', () => {
    const throwing = z.strictObject({ a: z.string() }).refine(() => {
      throw new Error('oops');
    });
    expect(() => parseOptions('loss kite', throwing, { a: 'b' })).toThrow('loss kite: its options are checked');
  });

  it('are reported by the own words of a library that writes no JSON schema', () => {
    const plain = {
      '~standard': {
        version: 1,
        vendor: 'plain',
        validate: () => ({ issues: [{ message: 'beta is too small', path: [{ key: 'beta' }] }] }),
      },
    } as const;
    expect(() => parseOptions('loss kite', plain, { beta: 1 })).toThrow('loss kite beta: beta is too small. Got 1.');
    expect(describeOptions(plain)).toEqual([]);
  });
});

it('a description of options goes inside of them where they are described there', () => {
  const nested = z.strictObject({
    lora: z.strictObject({ rank: z.int().min(1).max(9).default(2).describe('Rows.'), bare: z.boolean() }).optional(),
    members: z.array(z.strictObject({ weight: z.number().describe('A factor.') })),
  });
  const described = describeOptions(nested).map(({ name, isRequired }) => [name, isRequired]);
  expect(described).toEqual([
    ['lora', false],
    ['lora.rank', false],
    ['members', true],
    ['members[].weight', true],
  ]);
});

it('a description of options has their defaults, bounds and words', () => {
  const [beta, list, mode, limit] = describeOptions(schema);
  expect(beta).toEqual({
    name: 'beta',
    accepts: 'a number > 0 and <= 10',
    isRequired: false,
    default: 0.1,
    meaning: 'Larger holds closer.',
    usual: '0.01 to 0.5',
    defaultFrom: 'paper',
  });
  expect(list).toMatchObject({ isRequired: true, default: undefined, meaning: '' });
  expect(mode).toMatchObject({ accepts: '`one` or `two`', meaning: 'How.' });
  expect(limit).toMatchObject({ accepts: 'a whole number from 1 to 9 or `false`', default: false });
});
