import type { PromptGroup, TrainableModel } from '../../contracts/index.js';
import { packByTokens } from '../../numerics/index.js';
import { tokensOf } from '../../trainer/index.js';

/** A prompt with one response. */
export interface PromptResponse {
  readonly prompt: Int32Array;
  readonly tokens: Int32Array;
}

/**
 * `[T]` float32 log-probabilities of the tokens of each response, in nats. A model gives sums over responses; so each
 * beginning of a response is evaluated as one of its own, which suits short ones: T tokens cost T (T + 1) / 2.
 */
export async function tokenLogprobs(
  model: TrainableModel,
  responses: readonly PromptResponse[],
  microBatchTokens: number,
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  const groups = responses.map(beginnings);
  const logprobs: Float32Array[] = [];
  for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
    signal?.throwIfAborted();
    const part = groups.slice(start, end);
    const { sumLogprobs } = await model.evaluate(part);
    let at = 0;
    for (const { length } of part.map((group) => group.responses)) {
      const sums = sumLogprobs.subarray(at, at + length);
      logprobs.push(sums.map((sum, index) => sum - (index === 0 ? 0 : sums[index - 1]!)));
      at += length;
    }
  }
  return logprobs;
}

function beginnings({ prompt, tokens }: PromptResponse): PromptGroup {
  return { prompt, responses: Array.from(tokens, (_, last) => tokens.slice(0, last + 1)) };
}
