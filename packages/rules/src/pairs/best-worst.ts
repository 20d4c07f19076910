import type { NoPairReason, PairRule, ScoredResponse } from '@metaapo/core/contracts';
import { definePart, PAIR_RULE, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { preferenceOf } from './preference-of.js';

const schema = z.strictObject({
  ties: z
    .enum(['skip', 'pair'])
    .default('skip')
    .describe(
      'A prompt whose rewards or texts are all equal: no pair, or the first response over itself, as the reference code does: its online loss is a constant, and 1 - w of its row teaches nothing.',
    ),
});

/** Options of {@link bestWorst}. */
export type BestWorstOptions = z.input<typeof schema>;

/**
 * The response of highest reward over the one of lowest; the first of equals (arXiv 2509.23371).
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function bestWorst(options: BestWorstOptions = {}): PairRule {
  const settings = parseOptions('pair rule best-worst', schema, options);
  return {
    id: 'best-worst',
    options: settings,
    pair(responses) {
      const [first] = responses;
      const outcome = preferenceOf(responses, extremes);
      const isTied = 'reason' in outcome && TIED.includes(outcome.reason);
      return isTied && settings.ties === 'pair' ? { chosen: first!, rejected: first! } : outcome;
    },
  };
}

const TIED: readonly NoPairReason[] = ['tie', 'duplicates'];

/** Of responses by falling reward the first of the best and the first of the worst. */
function extremes(ranked: readonly ScoredResponse[]) {
  const lowest = ranked[ranked.length - 1]!.reward;
  return { chosen: ranked[0]!, rejected: ranked.find(({ reward }) => reward === lowest)! };
}

/** {@link bestWorst} as a part. */
export const bestWorstPart = definePart({
  slot: PAIR_RULE,
  id: 'best-worst',
  summary: 'The response of highest reward over the one of lowest.',
  options: schema,
  create: bestWorst,
});
