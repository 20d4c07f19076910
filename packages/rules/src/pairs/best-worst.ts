import type { PairRule } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { preferenceOf } from './preference-of.js';

/** The response of highest reward over the one of lowest; the first of equals (arXiv 2509.23371). */
export function bestWorst(): PairRule {
  return {
    id: 'best-worst',
    options: Object.freeze({}),
    pair: (responses) =>
      preferenceOf(responses, (ranked) => ({ chosen: ranked[0]!, rejected: ranked[ranked.length - 1]! })),
  };
}

/** {@link bestWorst} as a part. */
export const bestWorstPart = definePart({
  slot: PAIR_RULE,
  id: 'best-worst',
  summary: 'The response of highest reward over the one of lowest.',
  options: z.strictObject({}),
  create: bestWorst,
});
