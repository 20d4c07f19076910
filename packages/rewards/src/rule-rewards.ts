import type { AnyPart, RewardModel } from '@metaapo/core/contracts';
import { definePart, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { z } from 'zod';
import { matchedBy } from './own-expression.js';

/** A reward that a rule reads off the response's text. */
function rule(
  id: string,
  options: Readonly<Record<string, unknown>>,
  scoreOf: (response: string) => number,
): RewardModel {
  return {
    id,
    options: Object.freeze(options),
    fingerprint: `${id} ${JSON.stringify(options)}`,
    score: async (requests) => Float32Array.from(requests, ({ response }) => scoreOf(response)),
  };
}

const characters = (least: number) => z.int().min(least).max(1_000_000_000);

const lengthSchema = z
  .strictObject({
    minCharacters: characters(0).default(1).describe('Fewest characters that get the full reward.'),
    maxCharacters: characters(1).default(2000).describe('Most characters that get the full reward.'),
  })
  .refine(({ minCharacters, maxCharacters }) => minCharacters <= maxCharacters, {
    path: ['maxCharacters'],
    message: 'it lies below minCharacters',
  });

/** Options of {@link lengthReward}. */
export type LengthRewardOptions = z.input<typeof lengthSchema>;

/** 1 within the range of lengths, less in proportion to the distance outside of it, at least 0. */
export function lengthReward(options: LengthRewardOptions = {}): RewardModel {
  const settings = parseOptions('reward model length', lengthSchema, options);
  const { minCharacters: least, maxCharacters: most } = settings;
  return rule('length', settings, ({ length }) => {
    if (length < least) return length / least;
    return length > most ? Math.max(0, 1 - (length - most) / most) : 1;
  });
}

const regexSchema = z
  .strictObject({
    pattern: z.string().max(10_000).describe('Regular expression; a response that it matches gets 1, another 0.'),
    flags: z.string().max(10).default('u').describe('Flags of the expression, such as `i`.'),
  })
  .refine(({ pattern, flags }) => isRegex(pattern, flags), { message: 'no regular expression', path: ['pattern'] });

/** Options of {@link regexReward}. */
export type RegexRewardOptions = z.input<typeof regexSchema>;

function isRegex(pattern: string, flags: string): boolean {
  try {
    return new RegExp(pattern, flags) instanceof RegExp;
  } catch {
    return false;
  }
}

/** 1 where the response matches, 0 where it does not. */
export function regexReward(options: RegexRewardOptions): RewardModel {
  const settings = parseOptions('reward model regex', regexSchema, options);
  const expression = new RegExp(settings.pattern, settings.flags);
  return rule('regex', settings, (response) =>
    matchedBy('reward model regex', () => response.search(expression) >= 0) ? 1 : 0,
  );
}

/** 1 where the response is valid JSON, 0 where it is not. */
export function jsonValidityReward(): RewardModel {
  return rule('json-validity', {}, (response) => {
    try {
      JSON.parse(response);
      return 1;
    } catch {
      return 0;
    }
  });
}

/** The rule rewards as parts. */
export const ruleRewardParts: readonly AnyPart[] = [
  definePart({
    slot: REWARD_MODEL,
    id: 'length',
    summary: 'Full reward within a range of lengths.',
    options: lengthSchema,
    create: lengthReward,
  }),
  definePart({
    slot: REWARD_MODEL,
    id: 'regex',
    summary: 'Reward for a match of a regular expression.',
    options: regexSchema,
    create: regexReward,
  }),
  definePart({
    slot: REWARD_MODEL,
    id: 'json-validity',
    summary: 'Reward for valid JSON.',
    options: z.strictObject({}),
    create: jsonValidityReward,
  }),
];
