import type { ResponseSampler, RewardModel, TokenizedPreference } from '../contracts/index.js';
import { seedOf } from '../numerics/index.js';
import type { RunPrompt } from './run-prompt.js';

/** Held-out prompts whose responses are sampled and scored, to see what training does to the reward. */
export interface RewardEvaluation {
  readonly rows: readonly TokenizedPreference[];
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
}

/** What {@link heldOutReward} needs. */
export interface HeldOutRewardOptions {
  readonly sampler: ResponseSampler;
  readonly rewardModel: RewardModel;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Mean reward of one new response to each held-out prompt, with the same seeds every time. */
export async function heldOutReward(
  { rows, promptOf }: RewardEvaluation,
  { sampler, rewardModel, seed, signal }: HeldOutRewardOptions,
): Promise<number> {
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  const requests = rows.map((row) => ({
    row: row.row,
    prompt: row.prompt,
    ...promptOf(row),
    count: 1,
    seed: seedOf(['held-out', seed, row.row]),
  }));
  const scored: { prompt: RunPrompt; response: string }[] = [];
  for await (const { row, responses } of sampler.sample(requests, signal)) {
    const prompt = promptOf(byNumber.get(row)!);
    for (const { text } of responses) scored.push({ prompt, response: text });
  }
  const rewards = await rewardModel.score(
    scored.map(({ prompt: { messages, text }, response }) => ({ prompt: messages ?? text, response })),
    signal,
  );
  const readable = rewards.filter((reward) => !Number.isNaN(reward));
  return readable.reduce((sum, reward) => sum + reward, 0) / readable.length;
}
