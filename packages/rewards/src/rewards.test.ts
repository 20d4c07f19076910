import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RewardModel, ScoredResponse } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { functionRewardPart } from './function-reward.js';
import {
  bestOfN,
  bestRandom,
  bestWorst,
  functionReward,
  jsonValidityReward,
  lengthReward,
  maxMinLengthPenalty,
  regexReward,
} from './index.js';

const requests = (...responses: string[]) => responses.map((response) => ({ prompt: 'p', response }));
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

  it('makes no pair of ties, twins or a single response', () => {
    expect(bestWorst().pair([scored(1, 1), scored(1, 2)], 0)).toEqual({ reason: 'tie' });
    expect(bestWorst().pair([scored(1, 1), scored(0, 1)], 0)).toEqual({ reason: 'twins' });
    expect(
      bestWorst().pair(
        [
          { ...scored(1, 1), text: 'a' },
          { ...scored(0, 2), text: 'a' },
        ],
        0,
      ),
    ).toEqual({
      reason: 'twins',
    });
    expect(bestWorst().pair([scored(1, 1)], 0)).toEqual({ reason: 'too-few' });
  });

  it('best-of-n takes the best over the offline chosen one, where it beats it', () => {
    const { pair } = bestOfN();
    expect(pair(responses, 0, scored(0.8, 5))).toEqual({ chosen: responses[1], rejected: scored(0.8, 5) });
    expect(pair(responses.slice(1, 2), 0, scored(0.8, 5))).toMatchObject({ chosen: responses[1] });
    expect(pair(responses, 0, scored(0.9, 5))).toEqual({ reason: 'tie' });
    expect(pair(responses, 0, scored(1, 5))).toEqual({ reason: 'not-better' });
    expect(pair(responses, 0, scored(0.8, 2))).toEqual({ reason: 'twins' });
    expect(pair(responses, 0)).toEqual({ reason: 'too-few' });
    expect(pair([], 0, scored(0.8, 5))).toEqual({ reason: 'too-few' });
  });
});

describe('rule rewards', () => {
  const rewardsOf = async (model: RewardModel, ...responses: string[]): Promise<number[]> =>
    Array.from(await model.score(requests(...responses)));

  it('score by length, pattern and validity', async () => {
    expect(await rewardsOf(lengthReward({ minCharacters: 2, maxCharacters: 4 }), 'a', 'abc', 'abcdef')).toEqual([
      0.5, 1, 0.5,
    ]);
    expect(await rewardsOf(regexReward({ pattern: '^yes', flags: 'i' }), 'Yes!', 'no')).toEqual([1, 0]);
    expect(await rewardsOf(jsonValidityReward(), '{"a": 1}', '{a}')).toEqual([1, 0]);
  });

  it('refuse options that are wrong', () => {
    expect(() => regexReward({ pattern: '(' })).toThrow(/reward model regex pattern/);
    expect(() => lengthReward({ minCharacters: -1 })).toThrow(/reward model length minCharacters/);
  });
});

describe('the function reward', () => {
  it('refuses a function that gives no number for each response', async () => {
    const short = functionReward(() => [1], 'short');
    await expect(short.score(requests('a', 'b'))).rejects.toThrow(/Expected 2 numbers; got \[1\]/);
  });

  it('comes from a module, and is known by its content', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'metaapo-reward-'));
    try {
      writeFileSync(
        join(directory, 'reward.mjs'),
        'export default (requests) => requests.map((r) => r.response.length);',
      );
      writeFileSync(join(directory, 'none.mjs'), 'export const x = 1;');
      const context = { baseDirectory: directory, report: () => undefined, env: {} };
      const model = await functionRewardPart.create({ path: 'reward.mjs' }, context);
      expect(await model.score(requests('abc'))).toEqual(Float32Array.of(3));
      expect(model.fingerprint).toMatch(/^function [0-9a-f]{64}$/);
      await expect(functionRewardPart.create({ path: 'none.mjs' }, context)).rejects.toThrow(/no function/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
