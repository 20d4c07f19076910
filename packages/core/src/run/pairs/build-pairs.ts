import type {
  NoPairReason,
  PairOutcome,
  PairRule,
  SampledResponse,
  ScoredResponse,
  TokenizedPreference,
} from '../../contracts/index.js';
import type { OnlinePairText, PairCounts } from '../../journal/index.js';
import { uniformOf } from '../../numerics/index.js';
import { hasText, offlineTextOf, type RowRewards, type ScoringOptions } from '../annotation/row-rewards.js';
import { openedResponse } from '../opened-prompt.js';

/** Rows with their online pairs, and what became of the responses. */
export interface BuiltPairs {
  /** All rows of the slice; those with an online pair carry it. */
  readonly rows: readonly TokenizedPreference[];
  readonly counts: PairCounts;
  /** The online pairs as text, by data set number. */
  readonly texts: ReadonlyMap<number, OnlinePairText>;
  /** Why selected rows have no pair, by data set number. */
  readonly withoutPair: ReadonlyMap<number, NoPairReason>;
  /** Mean reward of the chosen and of the rejected online responses; absent without pairs. */
  readonly chosenReward?: number | undefined;
  readonly rejectedReward?: number | undefined;
}

/** What the rows of a slice were given, by data set number. */
export interface AnnotatedResponses {
  readonly responses: ReadonlyMap<number, readonly SampledResponse[]>;
  readonly rewards: ReadonlyMap<number, RowRewards>;
}

/** How pairs are made. */
export interface PairOptions extends Pick<ScoringOptions, 'promptOf'> {
  readonly rule: PairRule;
  readonly seed: number;
  readonly iteration: number;
}

/** Makes the online pairs of a slice. */
export function buildPairs(
  rows: readonly TokenizedPreference[],
  { responses, rewards }: AnnotatedResponses,
  options: PairOptions,
): BuiltPairs {
  const counts = noCounts();
  const texts = new Map<number, OnlinePairText>();
  const withoutPair = new Map<number, NoPairReason>();
  const built = rows.map((row) => {
    const sampled = responses.get(row.row);
    if (sampled === undefined) return row;
    const outcome = pairOf(row, sampled, rewards.get(row.row)!, counts, options);
    if ('reason' in outcome) {
      counts[outcome.reason] += 1;
      withoutPair.set(row.row, outcome.reason);
      return row;
    }
    counts.pairs += 1;
    texts.set(row.row, { chosen: textOf(outcome.chosen), rejected: textOf(outcome.rejected) });
    const [chosen, rejected] = [outcome.chosen, outcome.rejected].map(({ tokens }) => openedResponse(row, tokens));
    const margin = outcome.chosen.reward - outcome.rejected.reward;
    return { ...row, online: [{ chosen: chosen!, rejected: rejected!, margin }] };
  });
  const pairs = [...texts.values()];
  const mean = (side: keyof OnlinePairText): number | undefined =>
    pairs.length === 0 ? undefined : pairs.reduce((sum, pair) => sum + pair[side].reward, 0) / pairs.length;
  const [chosenReward, rejectedReward] = [mean('chosen'), mean('rejected')];
  return { rows: built, counts, texts, withoutPair, chosenReward, rejectedReward };
}

function pairOf(
  row: TokenizedPreference,
  sampled: readonly SampledResponse[],
  { rewards, offline, unreadableComparisons }: RowRewards,
  counts: ReturnType<typeof noCounts>,
  { rule, promptOf, seed, iteration }: PairOptions,
): PairOutcome {
  counts.responses += sampled.length;
  counts.truncated += sampled.filter(({ finishReason }) => finishReason === 'length').length;
  counts.empty += sampled.filter((response) => !hasText(response)).length;
  counts.unreadableComparisons += unreadableComparisons;
  const scored = sampled.flatMap((response, index): ScoredResponse[] => {
    const reward = rewards[index];
    return reward === undefined ? [] : [{ ...response, reward }];
  });
  const known = offline === undefined ? [] : [offlineResponse(row, offlineTextOf(row, promptOf), offline)];
  counts.unreadable += [...scored, ...known].filter(isUnreadable).length;
  const uniform = uniformOf(['pair', seed, iteration, row.row]);
  return rule.pair(scored.filter(isReadable), uniform, known.find(isReadable));
}

const isUnreadable = ({ reward }: ScoredResponse): boolean => Number.isNaN(reward);
const isReadable = ({ reward }: ScoredResponse): boolean => !Number.isNaN(reward);

function offlineResponse(row: TokenizedPreference, text: string, reward: number): ScoredResponse {
  return { text, tokens: row.chosen, reward, finishReason: 'stop' };
}

const textOf = ({ text, reward }: ScoredResponse): OnlinePairText['chosen'] => ({ text, reward });

function noCounts(): { -readonly [Name in keyof PairCounts]: number } {
  return {
    pairs: 0,
    responses: 0,
    truncated: 0,
    empty: 0,
    unreadable: 0,
    unreadableComparisons: 0,
    tie: 0,
    duplicates: 0,
    'too-few': 0,
    'not-better': 0,
  };
}
