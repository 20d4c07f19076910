import type { PairRule } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { areDuplicates } from './preference-of.js';

/**
 * The best of the new responses, the first of equals, over the row's offline chosen response, where its reward is the
 * higher one; so a pair says that the policy found something better than the data.
 */
export function bestOfN(): PairRule {
  return {
    id: 'best-of-n',
    options: Object.freeze({}),
    readsOffline: true,
    pair(responses, _uniform, offline) {
      const [best] = responses.toSorted((a, b) => b.reward - a.reward);
      if (best === undefined || offline === undefined) return { reason: 'too-few' };
      if (best.reward === offline.reward) return { reason: 'tie' };
      if (best.reward < offline.reward) return { reason: 'not-better' };
      return areDuplicates(best, offline) ? { reason: 'duplicates' } : { chosen: best, rejected: offline };
    },
  };
}

/** {@link bestOfN} as a part. */
export const bestOfNPart = definePart({
  slot: PAIR_RULE,
  id: 'best-of-n',
  summary: 'The best new response over the offline chosen one, where it beats it.',
  options: z.strictObject({}),
  create: bestOfN,
});
