import type { PairOutcome, ScoredResponse } from '@metaapo/core/contracts';

/** The two responses that a rule takes from those ranked by falling value. */
type Take = (ranked: readonly ScoredResponse[]) => {
  readonly chosen: ScoredResponse;
  readonly rejected: ScoredResponse;
};

/**
 * Ranks responses, lets the rule take two, and refuses what teaches nothing: fewer than two responses, equal values,
 * equal texts.
 */
export function preferenceOf(
  responses: readonly ScoredResponse[],
  take: Take,
  worthOf: (response: ScoredResponse) => number = ({ reward }) => reward,
): PairOutcome {
  if (responses.length < 2) return { reason: 'too-few' };
  const ranked = [...responses].sort((a, b) => worthOf(b) - worthOf(a));
  const { chosen, rejected } = take(ranked);
  if (worthOf(chosen) === worthOf(rejected)) return { reason: 'tie' };
  return areDuplicates(chosen, rejected) ? { reason: 'duplicates' } : { chosen, rejected };
}

/** True for responses that say the same: equal texts, or equal tokens. */
export function areDuplicates(a: ScoredResponse, b: ScoredResponse): boolean {
  if (a.text === b.text) return true;
  return a.tokens.length === b.tokens.length && a.tokens.every((token, index) => token === b.tokens[index]);
}
