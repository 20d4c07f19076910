import type { AnyPart, RewardModel } from '@metaapo/core/contracts';
import { definePart, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { z } from 'zod';

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

/** Options of {@link lengthReward}. */
export interface LengthRewardOptions {
  /** Fewest and most characters that get the full reward; default 1 to 2000. */
  readonly minCharacters?: number | undefined;
  readonly maxCharacters?: number | undefined;
}

const lengthSchema = z.strictObject({
  minCharacters: z.int().min(0).default(1),
  maxCharacters: z.int().positive().default(2000),
});

/** 1 within the range of lengths, less in proportion to the distance outside of it, at least 0. */
export function lengthReward(options: LengthRewardOptions = {}): RewardModel {
  const settings = parseOptions('reward model length', lengthSchema, options);
  const { minCharacters: least, maxCharacters: most } = settings;
  return rule('length', settings, ({ length }) => {
    if (length < least) return length / least;
    return length > most ? Math.max(0, 1 - (length - most) / most) : 1;
  });
}

/** Options of {@link regexReward}. */
export interface RegexRewardOptions {
  /** Regular expression; a response that it matches gets 1, another 0. */
  readonly pattern: string;
  /** Flags such as `i`. */
  readonly flags?: string | undefined;
}

const regexSchema = z
  .strictObject({ pattern: z.string(), flags: z.string().default('u') })
  .refine(({ pattern, flags }) => isRegex(pattern, flags), { message: 'no regular expression', path: ['pattern'] });

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
  return rule('regex', settings, (response) => (response.search(expression) >= 0 ? 1 : 0));
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
    create: (options: LengthRewardOptions) => lengthReward(options),
  }),
  definePart({
    slot: REWARD_MODEL,
    id: 'regex',
    summary: 'Reward for a match of a regular expression.',
    options: regexSchema,
    create: (options: RegexRewardOptions) => regexReward(options),
  }),
  definePart({
    slot: REWARD_MODEL,
    id: 'json-validity',
    summary: 'Reward for valid JSON.',
    options: z.strictObject({}),
    create: () => jsonValidityReward(),
  }),
];
