import { MetaapoError } from './errors.js';
import type { RewardModel, RewardRequest } from './reward-model.js';

/**
 * Rewards of a reward model, looked at before anything is made of them: `[R]`, each finite, or NaN where none could be read.
 * @throws MetaapoError with code `plugin` when there is none for each request, or one is infinite, as float32 at least;
 * whatever `score` throws
 */
export async function askRewardModel(
  rewardModel: RewardModel,
  requests: readonly RewardRequest[],
  signal?: AbortSignal,
  onUnreadableComparison?: () => void,
): Promise<Float32Array> {
  const rewards = await rewardModel.score(requests, signal, onUnreadableComparison);
  const where = `reward model ${rewardModel.id}`;
  if (rewards.length !== requests.length) {
    throw new MetaapoError('plugin', 'the reward model gave no number for each response', {
      where,
      expected: `${requests.length} rewards`,
      got: String(rewards.length),
    });
  }
  const at = rewards.findIndex((reward) => Math.abs(reward) === Number.POSITIVE_INFINITY);
  if (at < 0) return rewards;
  throw new MetaapoError('plugin', 'a reward is infinite', {
    where,
    expected: 'a finite float32 for each response, or NaN where there is none to read',
    got: `${rewards[at]} for the response ${JSON.stringify(requests[at]!.response.slice(0, 100))}`,
    remedy: 'Have it give a large number, such as -100, or NaN for what it cannot judge',
  });
}
