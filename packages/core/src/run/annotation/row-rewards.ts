import {
  type AnnotationCandidate,
  MetaapoError,
  type SampledResponse,
  type TokenizedPreference,
} from '../../contracts/index.js';
import type { DrawnResponse } from '../resume/iteration-record.js';
import type { RunPrompt } from '../run-options.js';

/** The rewards of a row. */
export interface RowRewards {
  /** `[responses]` rewards of the responses: NaN where one could not be read, `undefined` where none was wanted. */
  readonly rewards: readonly (number | undefined)[];
  /** Reward of the offline chosen response, where the pair rule reads it. */
  readonly offline?: number | undefined;
  /** Reward calls of the run's own reward model, and of the annotation rule's scorers. */
  readonly scored: number;
  readonly scoredOtherwise: number;
  /** Calls of the run's own reward model that the annotation rule spared. */
  readonly spared: number;
  readonly unreadableComparisons: number;
}

/** Which of a row's responses may be scored. */
export interface ScoringOptions {
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  /** What happens to responses that were cut at the limit; those left out cost no reward. */
  readonly truncated: 'keep' | 'keep-ended' | 'drop';
  /** True where the row's offline chosen response is scored with them. */
  readonly withOffline: boolean;
}

/** True for a response that says something: one of end tokens or blanks alone is no answer to learn from. */
export function hasText({ text, tokens }: SampledResponse): boolean {
  return tokens.length > 0 && text.trim() !== '';
}

/** True for a response that a pair can be made of. */
export function isUsable(response: SampledResponse, truncated: ScoringOptions['truncated']): boolean {
  return hasText(response) && (truncated !== 'drop' || response.finishReason === 'stop');
}

/** Text of the row's offline chosen response. */
export function offlineTextOf(row: TokenizedPreference, promptOf: ScoringOptions['promptOf']): string {
  const { offline } = promptOf(row);
  if (offline !== undefined) return offline.chosen;
  throw new MetaapoError('data', 'the pair rule reads the offline response, and the row has none as text', {
    where: `row ${row.row}`,
    remedy: 'Give the texts of the pairs, or choose another pair rule',
  });
}

/** What of a row may be scored: its usable responses, and behind them the offline one. */
export function candidatesOf(
  row: TokenizedPreference,
  responses: readonly DrawnResponse[],
  { promptOf, truncated, withOffline }: ScoringOptions,
): readonly AnnotationCandidate[] {
  const usable = responses.filter((response) => isUsable(response, truncated));
  const sampled = usable.map((response) => ({ ...response, otherRewards: {} }));
  if (!withOffline || usable.length === 0) return sampled;
  const offline = { text: offlineTextOf(row, promptOf), tokens: row.chosen, finishReason: 'stop' as const };
  return [...sampled, { ...offline, source: 'offline', otherRewards: {} }];
}

/** Rewards of {@link candidatesOf}'s candidates, put at the places of the row's responses. */
export function placeRewards(
  responses: readonly SampledResponse[],
  rewards: readonly (number | undefined)[],
  { truncated, withOffline }: ScoringOptions,
): Pick<RowRewards, 'rewards' | 'offline'> {
  let at = 0;
  const placed = responses.map((response) => (isUsable(response, truncated) ? rewards[at++] : undefined));
  return { rewards: placed, offline: withOffline ? rewards[at] : undefined };
}
