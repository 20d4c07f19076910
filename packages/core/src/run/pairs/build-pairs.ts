import {
  type NoPairReason,
  type OnlinePair,
  type PairOutcome,
  type PairRule,
  pairsOf,
  type ResponsePair,
  type ScoredResponse,
  type TokenizedPreference,
} from '../../contracts/index.js';
import type { OnlinePairText, PairCounts } from '../../journal/index.js';
import { uniformOf } from '../../numerics/index.js';
import { hasText, offlineTextOf, type RowRewards, type ScoringOptions } from '../annotation/row-rewards.js';
import { openedResponse } from '../opened-prompt.js';
import type { DrawnResponse } from '../resume/iteration-record.js';
import { featuresOf } from '../selection/row-features.js';

/** What became of responses. */
export interface ResponseCounts {
  readonly counts: PairCounts;
  /** The online pairs as text, by data set number. */
  readonly texts: ReadonlyMap<number, readonly OnlinePairText[]>;
  /** Why selected rows have no pair, by data set number. */
  readonly withoutPair: ReadonlyMap<number, NoPairReason>;
  /** Mean reward of the chosen and of the rejected online responses; absent without pairs. */
  readonly chosenReward?: number | undefined;
  readonly rejectedReward?: number | undefined;
}

/** Rows with their online pairs, and what became of the responses. */
export interface BuiltPairs extends ResponseCounts {
  /** All rows of the slice; those with online pairs carry them. */
  readonly rows: readonly TokenizedPreference[];
}

/** What the rows of a slice were given, by data set number. */
export interface AnnotatedResponses {
  readonly responses: ReadonlyMap<number, readonly DrawnResponse[]>;
  readonly rewards: ReadonlyMap<number, RowRewards>;
}

/** How pairs are made. */
export interface PairOptions extends Pick<ScoringOptions, 'promptOf'> {
  readonly rule: PairRule;
  readonly seed: number;
  readonly iteration: number;
  /** Put behind responses that were cut; absent, they stay without an end. */
  readonly cutEnd?: Int32Array | undefined;
}

/** Makes the online pairs of a slice. */
export function buildPairs(
  rows: readonly TokenizedPreference[],
  given: AnnotatedResponses,
  options: PairOptions,
): BuiltPairs {
  const counts: Writable = countResponses(given);
  const texts = new Map<number, readonly OnlinePairText[]>();
  const withoutPair = new Map<number, NoPairReason>();
  const built = rows.map((row) => {
    const sampled = given.responses.get(row.row);
    if (sampled === undefined) return row;
    const outcome = outcomeOf(row, sampled, given.rewards.get(row.row)!, options);
    if ('reason' in outcome) {
      counts[outcome.reason] += 1;
      withoutPair.set(row.row, outcome.reason);
      return row;
    }
    const pairs = pairsOf(outcome);
    counts.pairs += pairs.length;
    texts.set(
      row.row,
      pairs.map(({ chosen, rejected }) => ({ chosen: textOf(chosen), rejected: textOf(rejected) })),
    );
    return { ...row, online: pairs.map((pair) => onlinePair(row, pair, options.cutEnd)) };
  });
  const pairs = [...texts.values()].flat();
  const mean = (side: keyof OnlinePairText): number | undefined =>
    pairs.length === 0 ? undefined : pairs.reduce((sum, pair) => sum + pair[side].reward, 0) / pairs.length;
  const [chosenReward, rejectedReward] = [mean('chosen'), mean('rejected')];
  return { rows: built, counts, texts, withoutPair, chosenReward, rejectedReward };
}

function onlinePair(
  row: TokenizedPreference,
  { chosen, rejected }: ResponsePair,
  cutEnd: Int32Array | undefined,
): OnlinePair {
  const trained = (response: ScoredResponse): Int32Array =>
    response.source === 'offline' ? response.tokens : openedResponse(row, response, cutEnd);
  return { chosen: trained(chosen), rejected: trained(rejected), margin: chosen.reward - rejected.reward };
}

function outcomeOf(
  row: TokenizedPreference,
  sampled: readonly DrawnResponse[],
  { rewards, offline }: RowRewards,
  { rule, promptOf, seed, iteration }: PairOptions,
): PairOutcome {
  const scored = sampled.flatMap((response, index): ScoredResponse[] => {
    const reward = rewards[index];
    return isReadable(reward) ? [{ ...response, reward }] : [];
  });
  const known = isReadable(offline) ? offlineResponse(row, offlineTextOf(row, promptOf), offline) : undefined;
  const uniform = uniformOf(['pair', seed, iteration, row.row]);
  return rule.pair(scored, uniform, known, featuresOf(row));
}

/** True for a reward that was given and could be read. */
export function isReadable(reward: number | undefined): reward is number {
  return reward !== undefined && !Number.isNaN(reward);
}

function offlineResponse(row: TokenizedPreference, text: string, reward: number): ScoredResponse {
  return { text, tokens: row.chosen, reward, finishReason: 'stop', source: 'offline' };
}

const textOf = ({ text, reward }: ScoredResponse): OnlinePairText['chosen'] => ({ text, reward });

type Writable = { -readonly [Name in keyof PairCounts]: number };

/** Counts of responses; those of pairs begin at nothing. */
export function countResponses({ responses, rewards }: AnnotatedResponses): PairCounts {
  const all = [...responses].filter(([row]) => rewards.has(row));
  const sampled = all.flatMap(([, own]) => own);
  const given = all.map(([row]) => rewards.get(row)!);
  const scored = given.flatMap((row) => [...row.rewards, row.offline]);
  return {
    pairs: 0,
    responses: sampled.length,
    truncated: sampled.filter(({ finishReason }) => finishReason === 'length').length,
    empty: sampled.filter((response) => !hasText(response)).length,
    unreadable: scored.filter((reward) => reward !== undefined && Number.isNaN(reward)).length,
    unreadableComparisons: given.reduce((sum, row) => sum + row.unreadableComparisons, 0),
    tie: 0,
    duplicates: 0,
    'too-few': 0,
    'not-better': 0,
  };
}
