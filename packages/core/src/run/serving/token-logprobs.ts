import { MetaapoError, type TrainableModel, tokensOf, yieldToEvents } from '../../contracts/index.js';
import { packByTokens } from '../../numerics/index.js';

/** A prompt with one response. */
export interface PromptResponse {
  readonly prompt: Int32Array;
  readonly tokens: Int32Array;
}

/**
 * `[T]` float32 log-probabilities of the tokens of each response, in nats, without gradient.
 * @throws MetaapoError with code `plugin` when the model gives none
 */
export async function tokenLogprobs(
  model: TrainableModel,
  responses: readonly PromptResponse[],
  microBatchTokens: number,
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  const groups = responses.map(({ prompt, tokens }) => ({ prompt, responses: [tokens] }));
  const logprobs: Float32Array[] = [];
  for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
    await yieldToEvents(signal);
    const given = (await model.evaluate(groups.slice(start, end), { tokenLogprobs: true })).tokenLogprobs;
    if (given === undefined) throw noTokenLogprobs();
    let at = 0;
    for (const { length } of responses.slice(start, end).map(({ tokens }) => tokens)) {
      logprobs.push(given.slice(at, at + length));
      at += length;
    }
  }
  return logprobs;
}

function noTokenLogprobs(): MetaapoError {
  return new MetaapoError('plugin', 'the model gives no log-probabilities of tokens', {
    where: 'evaluate',
    expected: 'tokenLogprobs, as they were asked for',
    remedy: 'Test the model with describeModel of @metaapo/testing',
  });
}
