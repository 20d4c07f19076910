import { describe, expect, it } from 'vitest';
import type { PairRule, SampledResponse, ScoredResponse, TokenizedPreference } from '../../contracts/index.js';
import { candidatesOf, placeRewards, type ScoringOptions } from '../annotation/row-rewards.js';
import type { DrawnResponse } from '../resume/iteration-record.js';
import { buildPairs, type PairOptions } from './build-pairs.js';

const row = (number: number): TokenizedPreference => ({
  row: number,
  prompt: Int32Array.of(9),
  chosen: Int32Array.of(1, 2),
  rejected: Int32Array.of(3),
});
const said = (text: string, finishReason: SampledResponse['finishReason'] = 'stop'): DrawnResponse => ({
  text,
  tokens: Int32Array.from(text, (letter) => letter.charCodeAt(0)),
  finishReason,
  source: 'policy',
});

/** Takes the first over the last; reasons by the texts. */
const rule: PairRule = {
  id: 'first-over-last',
  options: {},
  pair(responses) {
    if (responses.length < 2) return { reason: 'too-few' };
    const [chosen, rejected] = [responses[0]!, responses.at(-1)!];
    if (chosen.reward === rejected.reward) return { reason: 'tie' };
    return chosen.text === rejected.text ? { reason: 'duplicates' } : { chosen, rejected };
  },
};

const promptOf = () => ({ text: 'p', offline: { chosen: 'offline', rejected: 'worse' } });
const OPTIONS: PairOptions = { rule, promptOf, seed: 1, iteration: 0 };

/** Pairs of rows with these responses and rewards of what is scored of them, the offline response last. */
function pairsOf(
  given: readonly (readonly [responses: readonly DrawnResponse[], rewards: readonly number[]])[],
  more: Partial<PairOptions & Pick<ScoringOptions, 'truncated'>> = {},
) {
  const options = { ...OPTIONS, ...more };
  const scoring = { truncated: 'keep' as const, ...options, withOffline: options.rule.readsOffline === true };
  const responses = new Map(given.map(([sampled], number) => [number, sampled]));
  const rewards = new Map(
    given.map(([sampled, own], number) => {
      expect(candidatesOf(row(number), sampled, scoring)).toHaveLength(own.length);
      const calls = { scored: own.length, scoredOtherwise: 0, spared: 0, unreadableComparisons: number };
      return [number, { ...placeRewards(sampled, own, scoring), ...calls }];
    }),
  );
  const rows = [...given.map((_, number) => row(number)), row(given.length)];
  return buildPairs(rows, { responses, rewards }, options);
}

describe('pairs', () => {
  it('are made of usable responses, and all others are counted', () => {
    const { counts, rows, chosenReward, rejectedReward } = pairsOf([
      [
        [said('a'), said('b'), said('c', 'length')],
        [3, 2, 1],
      ],
      [
        [said('a'), said('b')],
        [1, 1],
      ],
      [
        [said('a'), said('a')],
        [2, 1],
      ],
      [[said('a'), said(''), said(' \n')], [1]],
      [
        [said('a'), said('b'), said('c')],
        [2, Number.NaN, 1],
      ],
    ]);
    expect(counts).toEqual({
      ...{ pairs: 2, responses: 13, truncated: 1, empty: 2, unreadable: 1, unreadableComparisons: 10 },
      ...{ tie: 1, duplicates: 1, 'too-few': 1, 'not-better': 0 },
    });
    expect(rows.map(({ online }) => online?.[0]?.rejected[0])).toEqual([
      99,
      undefined,
      undefined,
      undefined,
      99,
      undefined,
    ]);
    expect([chosenReward, rejectedReward]).toEqual([2.5, 1]);
  });

  it('are not made of cut responses, which cost nothing, where those are dropped', () => {
    const { counts, texts } = pairsOf(
      [
        [
          [said('a'), said('b', 'length'), said('c')],
          [2, 1],
        ],
      ],
      { truncated: 'drop' },
    );
    expect(counts).toMatchObject({ pairs: 1, truncated: 1, responses: 3, unreadable: 0 });
    expect(texts.get(0)).toEqual([{ chosen: { text: 'a', reward: 2 }, rejected: { text: 'c', reward: 1 } }]);
  });

  it('give the rule the offline response, where it reads it', () => {
    const seen: (ScoredResponse | undefined)[] = [];
    const offline: PairRule = {
      ...rule,
      readsOffline: true,
      pair(_, __, response) {
        seen.push(response);
        return { reason: 'not-better' };
      },
    };
    const { counts } = pairsOf(
      [
        [
          [said('a'), said('b')],
          [3, 2, 5],
        ],
        [
          [said('a'), said('b')],
          [3, 2, Number.NaN],
        ],
      ],
      { rule: offline },
    );
    expect(counts).toMatchObject({ 'not-better': 2, unreadable: 1, pairs: 0 });
    expect(seen).toEqual([
      { text: 'offline', tokens: Int32Array.of(1, 2), reward: 5, finishReason: 'stop', source: 'offline' },
      undefined,
    ]);
  });

  it('end as the responses of the data do, and cut ones with an end token where that is wanted', () => {
    const ended = { ...row(0), opening: Int32Array.of(50), ending: Int32Array.of(60) };
    const sampled = [said('a'), said('b', 'length')];
    const rewards = { scored: 2, scoredOtherwise: 0, spared: 0, unreadableComparisons: 0, rewards: [2, 1] };
    const given = { responses: new Map([[0, sampled]]), rewards: new Map([[0, rewards]]) };
    const [kept] = buildPairs([ended], given, OPTIONS).rows;
    expect(kept!.online![0]).toMatchObject({ chosen: Int32Array.of(50, 97, 60), rejected: Int32Array.of(50, 98) });
    const [closed] = buildPairs([ended], given, { ...OPTIONS, cutEnd: Int32Array.of(8, 7) }).rows;
    expect(closed!.online![0]).toMatchObject({
      chosen: Int32Array.of(50, 97, 60),
      rejected: Int32Array.of(50, 98, 8, 7, 60),
    });
  });

  it('take the offline response as it is', () => {
    const offline: PairRule = {
      ...rule,
      readsOffline: true,
      pair: ([best], _, known) => ({ chosen: best!, rejected: known! }),
    };
    const opened = { ...row(0), opening: Int32Array.of(50), ending: Int32Array.of(60) };
    const rewards = { scored: 2, scoredOtherwise: 0, spared: 0, unreadableComparisons: 0, rewards: [2], offline: 1 };
    const given = { responses: new Map([[0, [said('a')]]]), rewards: new Map([[0, rewards]]) };
    const [made] = buildPairs([opened], given, { ...OPTIONS, rule: offline }).rows;
    expect(made!.online![0]).toMatchObject({ chosen: Int32Array.of(50, 97, 60), rejected: Int32Array.of(1, 2) });
  });
});
