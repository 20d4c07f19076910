import type { PairRule } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { preferenceOf } from './preference-of.js';

/** The response of highest reward over any other one, drawn evenly. */
export function bestRandom(): PairRule {
  return {
    id: 'best-random',
    options: Object.freeze({}),
    pair: (responses, uniform) =>
      preferenceOf(responses, (ranked) => ({
        chosen: ranked[0]!,
        rejected: ranked[1 + Math.floor(uniform * (ranked.length - 1))]!,
      })),
  };
}

/** {@link bestRandom} as a part. */
export const bestRandomPart = definePart({
  slot: PAIR_RULE,
  id: 'best-random',
  summary: 'The response of highest reward over another one, drawn evenly.',
  options: z.strictObject({}),
  create: bestRandom,
});
