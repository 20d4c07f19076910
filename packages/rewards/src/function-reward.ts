import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PartContext, RewardModel, RewardRequest } from '@metaapo/core/contracts';
import { definePart, MetaapoError, REWARD_MODEL } from '@metaapo/core/contracts';
import { moduleDigest } from '@metaapo/core/storage';
import { z } from 'zod';

/** Scores responses; an array, or a promise of one, in the order of the requests. */
export type RewardFunction = (requests: readonly RewardRequest[]) => readonly number[] | Promise<readonly number[]>;

const schema = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .describe('Module whose default export takes requests and returns numbers; relative to the working directory.'),
});

/** Options of the part `function`. */
export type FunctionRewardOptions = z.input<typeof schema>;

/**
 * Rewards by a function of your own.
 * @param fingerprint key of the function: equal keys mean equal rewards
 * @throws MetaapoError with code `plugin`, when it scores, if the function fails or gives no number for each request
 */
export function functionReward(score: RewardFunction, fingerprint: string): RewardModel {
  return {
    id: 'function',
    options: Object.freeze({}),
    fingerprint,
    async score(requests) {
      const rewards = await answerOf(score, requests);
      if (Array.isArray(rewards) && rewards.length === requests.length && rewards.every((x) => typeof x === 'number')) {
        return Float32Array.from(rewards);
      }
      throw new MetaapoError('plugin', 'the function gave no number for each response', {
        where: 'reward model function',
        expected: `${requests.length} numbers`,
        got: JSON.stringify(rewards)?.slice(0, 200) ?? 'nothing',
      });
    },
  };
}

async function answerOf(score: RewardFunction, requests: readonly RewardRequest[]): Promise<readonly number[]> {
  try {
    return await score(requests);
  } catch (cause) {
    throw new MetaapoError('plugin', `the function failed: ${cause instanceof Error ? cause.message : cause}`, {
      where: 'reward model function',
      expected: 'a number for each { prompt, response } of the list that it is given',
      cause,
      remedy: 'Correct the function',
    });
  }
}

/** A reward function from a module, as a part. */
export const functionRewardPart = definePart({
  slot: REWARD_MODEL,
  id: 'function',
  summary: 'A function of your own, the default export of a module.',
  options: schema,
  create: createFunctionReward,
  async inspect(options, context) {
    await createFunctionReward(options, context);
    return {};
  },
});

async function createFunctionReward(
  { path }: FunctionRewardOptions,
  { baseDirectory }: PartContext,
): Promise<RewardModel> {
  const file = resolve(baseDirectory, path);
  try {
    const { default: score } = (await import(pathToFileURL(file).href)) as { default?: unknown };
    if (typeof score !== 'function') throw new Error('its default export is no function');
    return functionReward(score as RewardFunction, `function ${moduleDigest(file)}`);
  } catch (cause) {
    throw new MetaapoError('plugin', `the reward function cannot be used: ${(cause as Error).message}`, {
      where: file,
      cause,
      remedy: 'Give a module whose default export takes requests and returns rewards',
    });
  }
}
