import { expect, it } from 'vitest';
import { coinLogprob, coinPolicy } from '../../../test/run/coin-policy.js';
import { tokenLogprobs } from './token-logprobs.js';

const responses = [
  { prompt: Int32Array.of(7, 8), tokens: Int32Array.of(1, 0, 0, 1) },
  { prompt: Int32Array.of(9), tokens: Int32Array.of(0) },
  { prompt: Int32Array.of(9), tokens: Int32Array.of(1, 1) },
];

it.each([1, 8, 1000])('gives the log-probability of each token, in batches of %i tokens', async (microBatchTokens) => {
  const logprobs = await tokenLogprobs(coinPolicy(0.4), responses, microBatchTokens, undefined);
  expect(logprobs.map(({ length }) => length)).toEqual([4, 1, 2]);
  for (const [index, { tokens }] of responses.entries()) {
    for (const [at, token] of tokens.entries()) {
      expect(logprobs[index]![at]).toBeCloseTo(coinLogprob(0.4, token), 6);
    }
  }
});

it('refuses a model that gives none, and says so', async () => {
  const policy = coinPolicy(0.4);
  const mute = { ...policy, evaluate: (groups: Parameters<typeof policy.evaluate>[0]) => policy.evaluate(groups) };
  await expect(tokenLogprobs(mute, responses, 1000, undefined)).rejects.toThrow(/gives no log-probabilities of tokens/);
});
