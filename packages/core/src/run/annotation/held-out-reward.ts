import type { ResponseSampler, TokenizedPreference } from '../../contracts/index.js';
import { seedOf } from '../../numerics/index.js';
import { openedPrompt } from '../opened-prompt.js';
import type { RunPrompt } from '../run-options.js';
import { annotateConcurrently } from './annotate-concurrently.js';
import type { Annotate, ResponseGroup } from './pay-once.js';

/** Held-out prompts whose responses are sampled and scored, to see what training does to the reward. */
export interface RewardEvaluation {
  readonly rows: readonly TokenizedPreference[];
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
}

/** What {@link heldOutReward} needs. */
export interface HeldOutRewardOptions {
  readonly sampler: ResponseSampler;
  readonly annotate: Annotate;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** The response to a held-out prompt. */
interface HeldOutResponse extends ResponseGroup {
  readonly row: number;
}

/**
 * Mean reward of one new response to each held-out prompt, with the same seeds every time; responses without text count
 * as well.
 * @returns `undefined` where no reward could be read
 */
export async function heldOutReward(
  { rows, promptOf }: RewardEvaluation,
  { sampler, annotate, seed, signal }: HeldOutRewardOptions,
): Promise<number | undefined> {
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  const requests = rows.map((row) => ({
    row: row.row,
    prompt: openedPrompt(row),
    ...promptOf(row),
    count: 1,
    seed: seedOf(['held-out', seed, row.row]),
  }));
  const rewards = new Map<number, number>();
  const score = async (part: readonly HeldOutResponse[]): Promise<void> => {
    const given = await annotate(part, signal);
    for (const [index, { row }] of part.entries()) rewards.set(row, given[index]!.rewards[0]!);
  };
  await annotateConcurrently<HeldOutResponse>(score, signal, async (add, either) => {
    for await (const { row, responses } of sampler.sample(requests, either)) {
      const { messages, chat, text } = promptOf(byNumber.get(row)!);
      add(responses.map((response) => ({ row, prompt: messages ?? text, chat, responses: [response.text] })));
    }
  });
  // In the order of the rows, so that the sum does not depend on who was first.
  const readable = rows.map(({ row }) => rewards.get(row) ?? Number.NaN).filter((reward) => !Number.isNaN(reward));
  return readable.length === 0 ? undefined : readable.reduce((sum, reward) => sum + reward, 0) / readable.length;
}
