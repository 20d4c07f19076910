import type { ScoredResponse } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { bestOfN, bestRandom, bestWorst, maxMinLengthPenalty } from '../index.js';

const scored = (reward: number, ...tokens: number[]): ScoredResponse => ({
  text: tokens.join(' '),
  tokens: Int32Array.from(tokens),
  reward,
  finishReason: 'stop',
});

describe('pair rules', () => {
  const responses = [scored(0.2, 1), scored(0.9, 2), scored(0.5, 3), scored(-1, 4)];

  it('best-worst takes the highest and the lowest reward', () => {
    expect(bestWorst().pair(responses, 0)).toEqual({ chosen: responses[1], rejected: responses[3] });
  });

  it('best-worst takes the first of equals, on both sides', () => {
    const equal = [scored(1, 1), scored(0, 2), scored(1, 3), scored(0, 4)];
    expect(bestWorst().pair(equal, 0)).toEqual({ chosen: equal[0], rejected: equal[1] });
  });

  it('best-worst pairs the first response with itself where all are equal and that is wanted', () => {
    const rule = bestWorst({ ties: 'pair' });
    const equal = [scored(1, 1), scored(1, 2), scored(1, 3)];
    expect(rule.pair(equal, 0)).toEqual({ chosen: equal[0], rejected: equal[0] });
    expect(rule.pair([scored(1, 1), scored(0, 1)], 0)).toEqual({ chosen: scored(1, 1), rejected: scored(1, 1) });
    expect(rule.pair(responses, 0)).toEqual({ chosen: responses[1], rejected: responses[3] });
    expect(rule.pair([scored(1, 1)], 0)).toEqual({ reason: 'too-few' });
    expect(() => bestWorst({ ties: 'both' as 'pair' })).toThrow(/ties/);
  });

  it('best-random draws the rejected one evenly from the others', () => {
    const drawn = [0, 0.4, 0.99].map((uniform) => bestRandom().pair(responses, uniform));
    expect(drawn.map((pair) => 'rejected' in pair && pair.rejected.reward)).toEqual([0.5, 0.2, -1]);
  });

  it('max-min-length-penalty takes the penalty off the reward', () => {
    const long = scored(1, 1, 2, 3, 4);
    const short = scored(0.9, 5);
    expect(maxMinLengthPenalty({ penalty: 0.1 }).pair([long, short], 0)).toMatchObject({
      chosen: short,
      rejected: long,
    });
  });

  it('makes no pair of ties, duplicates or a single response', () => {
    expect(bestWorst().pair([scored(1, 1), scored(1, 2)], 0)).toEqual({ reason: 'tie' });
    expect(bestWorst().pair([scored(1, 1), scored(0, 1)], 0)).toEqual({ reason: 'duplicates' });
    expect(
      bestWorst().pair(
        [
          { ...scored(1, 1), text: 'a' },
          { ...scored(0, 2), text: 'a' },
        ],
        0,
      ),
    ).toEqual({
      reason: 'duplicates',
    });
    expect(bestWorst().pair([scored(1, 1)], 0)).toEqual({ reason: 'too-few' });
  });

  it('best-of-n takes the best over the offline chosen one, where it beats it', () => {
    const { pair } = bestOfN();
    expect(pair(responses, 0, scored(0.8, 5))).toEqual({ chosen: responses[1], rejected: scored(0.8, 5) });
    expect(pair(responses.slice(1, 2), 0, scored(0.8, 5))).toMatchObject({ chosen: responses[1] });
    expect(pair(responses, 0, scored(0.9, 5))).toEqual({ reason: 'tie' });
    expect(pair(responses, 0, scored(1, 5))).toEqual({ reason: 'not-better' });
    expect(pair(responses, 0, scored(0.8, 2))).toEqual({ reason: 'duplicates' });
    expect(pair(responses, 0)).toEqual({ reason: 'too-few' });
    expect(pair([], 0, scored(0.8, 5))).toEqual({ reason: 'too-few' });
  });
});
