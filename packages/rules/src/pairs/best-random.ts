import type { PairRule, PartDefinition } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { preferenceOf } from './preference-of.js';

const schema = z.strictObject({});

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
export const bestRandomPart: PartDefinition<PairRule, Record<string, never>> = definePart({
  slot: PAIR_RULE,
  id: 'best-random',
  summary: 'The response of highest reward over another one, drawn evenly.',
  options: schema,
  create: () => bestRandom(),
});
