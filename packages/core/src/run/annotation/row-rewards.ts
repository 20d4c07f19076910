import { MetaapoError, type SampledResponse, type TokenizedPreference } from '../../contracts/index.js';
import type { RunPrompt } from '../run-options.js';
import type { GroupRewards, ResponseGroup } from './pay-once.js';

/** The rewards of a row. */
export interface RowRewards {
  /** `[K]` rewards of the responses; NaN where none was asked for or none could be read. */
  readonly rewards: Float32Array;
  /** Reward of the offline chosen response, where the pair rule reads it. */
  readonly offline?: number | undefined;
  /** Responses that were scored, the offline one included. */
  readonly scored: number;
  readonly unreadableComparisons: number;
}

/** Which of a row's responses are scored. */
export interface ScoringOptions {
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  /** What happens to responses that were cut at the limit; those left out cost no reward. */
  readonly truncated: 'keep' | 'drop';
  /** True where the row's offline chosen response is scored with them. */
  readonly withOffline: boolean;
}

/** True for a response that says something: one of end tokens or blanks alone is no answer to learn from. */
export function hasText({ text, tokens }: SampledResponse): boolean {
  return tokens.length > 0 && text.trim() !== '';
}

/** True for a response that a pair can be made of. */
export function isUsable(response: SampledResponse, truncated: ScoringOptions['truncated']): boolean {
  return hasText(response) && (truncated === 'keep' || response.finishReason === 'stop');
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

/** What of a row is scored: its usable responses, and behind them the offline one. */
export function groupOfRow(
  row: TokenizedPreference,
  responses: readonly SampledResponse[],
  { promptOf, truncated, withOffline }: ScoringOptions,
): ResponseGroup {
  const { messages, text } = promptOf(row);
  const usable = responses.filter((response) => isUsable(response, truncated)).map((response) => response.text);
  const offline = withOffline && usable.length > 0 ? [offlineTextOf(row, promptOf)] : [];
  return { prompt: messages ?? text, responses: [...usable, ...offline] };
}

/** The rewards of {@link groupOfRow}'s group at the places of the row's responses. */
export function rewardsOfRow(
  responses: readonly SampledResponse[],
  { rewards, unreadableComparisons }: GroupRewards,
  { truncated, withOffline }: ScoringOptions,
): RowRewards {
  let at = 0;
  return {
    rewards: Float32Array.from(responses, (response) => (isUsable(response, truncated) ? rewards[at++]! : Number.NaN)),
    offline: withOffline ? rewards[at] : undefined,
    scored: rewards.length,
    unreadableComparisons,
  };
}
