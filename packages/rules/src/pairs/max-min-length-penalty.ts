import type { PairRule } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { preferenceOf } from './preference-of.js';

const schema = z.strictObject({
  penalty: z
    .number()
    .min(0)
    .max(1000)
    .default(0.001)
    .describe('Taken off the reward for each token. Larger prefers shorter answers.'),
});

/** Options of {@link maxMinLengthPenalty}. */
export type MaxMinLengthPenaltyOptions = z.input<typeof schema>;

/** Highest over lowest of reward - penalty * tokens, so that length alone does not win. */
export function maxMinLengthPenalty(options: MaxMinLengthPenaltyOptions = {}): PairRule {
  const settings = parseOptions('pair rule max-min-length-penalty', schema, options);
  return {
    id: 'max-min-length-penalty',
    options: settings,
    pair: (responses) =>
      preferenceOf(
        responses,
        (ranked) => ({ chosen: ranked[0]!, rejected: ranked[ranked.length - 1]! }),
        ({ reward, tokens }) => reward - settings.penalty * tokens.length,
      ),
  };
}

/** {@link maxMinLengthPenalty} as a part. */
export const maxMinLengthPenaltyPart = definePart({
  slot: PAIR_RULE,
  id: 'max-min-length-penalty',
  summary: 'Highest over lowest reward after a penalty on length.',
  options: schema,
  create: maxMinLengthPenalty,
});
