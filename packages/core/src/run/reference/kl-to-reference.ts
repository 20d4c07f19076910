import {
  type PromptGroup,
  type TokenizedPreference,
  type TrainableModel,
  tokensOf,
  yieldToEvents,
} from '../../contracts/index.js';
import type { KlEstimate } from '../../journal/index.js';
import { packByTokens } from '../../numerics/index.js';
import { openedPrompt } from '../opened-prompt.js';
import type { IterationRecord } from '../resume/iteration-record.js';

/** How the estimate is computed. */
export interface KlOptions {
  readonly microBatchTokens: number;
  /** Told how many responses are done, of so many. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MOST_RESPONSES = 64;

/**
 * Estimate of KL(policy || reference) at the begin of an iteration: one new response of each of up to 64 selected rows,
 * spread evenly. Unbiased where the sampler draws from the policy as it is (temperature 1, nothing cut off).
 * @returns `undefined` when no row was selected
 */
export async function klToReference(
  policy: TrainableModel,
  reference: TrainableModel,
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: KlOptions,
): Promise<KlEstimate | undefined> {
  const groups = rows.flatMap((row): PromptGroup[] => {
    const first = record.responses.get(row.row)?.[0];
    const isEmpty = first === undefined || first.tokens.length === 0;
    return isEmpty ? [] : [{ prompt: openedPrompt(row), responses: [first.tokens] }];
  });
  const every = Math.max(1, Math.floor(groups.length / MOST_RESPONSES));
  const sample = groups.filter((_, index) => index % every === 0).slice(0, MOST_RESPONSES);
  if (sample.length === 0) return undefined;
  if (reference === policy) return { perResponse: 0, perToken: 0, responses: sample.length };
  let nats = 0;
  options.progress?.(0, sample.length);
  for (const [start, end] of packByTokens(sample.map(tokensOf), options.microBatchTokens)) {
    await yieldToEvents(options.signal);
    const part = sample.slice(start, end);
    const own = (await policy.evaluate(part)).sumLogprobs;
    const other = (await reference.evaluate(part)).sumLogprobs;
    nats += own.reduce((sum, value, index) => sum + value - other[index]!, 0);
    options.progress?.(end, sample.length);
  }
  const tokens = sample.reduce((sum, { responses }) => sum + responses[0]!.length, 0);
  return { perResponse: nats / sample.length, perToken: nats / tokens, responses: sample.length };
}
