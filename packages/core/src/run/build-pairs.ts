import type { NoPairReason, PairRule, ScoredResponse, TokenizedPreference } from '../contracts/index.js';
import { uniformOf } from '../numerics/index.js';
import type { IterationRecord } from './run-journal.js';

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

/** An online pair as people read it. */
export interface OnlinePairText {
  readonly chosen: { readonly text: string; readonly reward: number };
  readonly rejected: { readonly text: string; readonly reward: number };
}

/** Counted so that nothing is lost in silence. */
export interface PairCounts {
  readonly pairs: number;
  readonly responses: number;
  /** Responses cut at the limit; kept without an end-of-sequence token, or left out. */
  readonly truncated: number;
  /** Responses without a single token, left out. */
  readonly empty: number;
  /** Responses whose reward could not be read, left out. */
  readonly unreadable: number;
  /** Selected rows without a pair, by reason. */
  readonly tie: number;
  readonly twins: number;
  readonly 'too-few': number;
}

/** How pairs are made. */
export interface PairOptions {
  readonly rule: PairRule;
  /** What happens to responses that were cut at the limit. */
  readonly truncated: 'keep' | 'drop';
  readonly seed: number;
  readonly iteration: number;
}

/** Makes the online pairs of a slice. */
export function buildPairs(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  { rule, truncated, seed, iteration }: PairOptions,
): BuiltPairs {
  const counts = { pairs: 0, responses: 0, truncated: 0, empty: 0, unreadable: 0, tie: 0, twins: 0, 'too-few': 0 };
  const rewards = { chosen: 0, rejected: 0 };
  const texts = new Map<number, OnlinePairText>();
  const withoutPair = new Map<number, NoPairReason>();
  const built = rows.map((row) => {
    const sampled = record.responses.get(row.row);
    if (sampled === undefined) return row;
    const rewardsOfRow = record.rewards.get(row.row)!;
    const usable = sampled.flatMap((response, index): ScoredResponse[] => {
      const reward = rewardsOfRow[index]!;
      const isCut = response.finishReason === 'length';
      counts.responses += 1;
      if (isCut) counts.truncated += 1;
      if (response.tokens.length === 0) counts.empty += 1;
      else if (Number.isNaN(reward)) counts.unreadable += 1;
      else if (!isCut || truncated === 'keep') return [{ ...response, reward }];
      return [];
    });
    const outcome = rule.pair(usable, uniformOf(['pair', seed, iteration, row.row]));
    if ('reason' in outcome) {
      counts[outcome.reason] += 1;
      withoutPair.set(row.row, outcome.reason);
      return row;
    }
    counts.pairs += 1;
    rewards.chosen += outcome.chosen.reward;
    rewards.rejected += outcome.rejected.reward;
    texts.set(row.row, { chosen: textOf(outcome.chosen), rejected: textOf(outcome.rejected) });
    return { ...row, onlineChosen: outcome.chosen.tokens, onlineRejected: outcome.rejected.tokens };
  });
  if (counts.pairs === 0) return { rows: built, counts, texts, withoutPair };
  const mean = (sum: number): number => sum / counts.pairs;
  const [chosenReward, rejectedReward] = [mean(rewards.chosen), mean(rewards.rejected)];
  return { rows: built, counts, texts, withoutPair, chosenReward, rejectedReward };
}

const textOf = ({ text, reward }: ScoredResponse): OnlinePairText['chosen'] => ({ text, reward });
