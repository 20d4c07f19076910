import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RewardModel } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { functionRewardPart } from './function-reward.js';
import { functionReward, jsonValidityReward, lengthReward, regexReward } from './index.js';

const requests = (...responses: string[]) => responses.map((response) => ({ prompt: 'p', response }));
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

  it('end an expression that does not end', { timeout: 60_000 }, async () => {
    const endless = regexReward({ pattern: '^(a+)+$' });
    await expect(rewardsOf(endless, `${'a'.repeat(50)}b`)).rejects.toThrow(/the regular expression takes too long/);
  });

  it('refuse options that are wrong', () => {
    expect(() => regexReward({ pattern: '(' })).toThrow(/reward model regex pattern/);
    expect(() => lengthReward({ minCharacters: -1 })).toThrow(/reward model length minCharacters/);
  });
});

describe('the function reward', () => {
  it('tells what a function failed with as its own fault', async () => {
    const broken = functionReward(
      (requests) => (requests as unknown as { none: number[] }).none.map((one) => one),
      'x',
    );
    await expect(broken.score([{ prompt: 'p', response: 'r' }])).rejects.toMatchObject({
      code: 'plugin',
      message: expect.stringMatching(/the function failed: .*undefined.*\{ prompt, response \}/),
    });
  });

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
