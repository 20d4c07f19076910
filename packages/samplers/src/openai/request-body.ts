import type { ChatMessage, SamplingRequest } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import { withExtraBody } from '@metaapo/core/http';
import type { OpenaiSettings } from './openai-options.js';

/** Asks for the log-probability of each token that was drawn. */
export const LOGPROBS: Readonly<Record<OpenaiSettings['endpoint'], object>> = {
  chat: { logprobs: true },
  completions: { logprobs: 1 },
};

/**
 * Body of a call for `count` responses.
 * @throws MetaapoError with code `data` when `chat` is asked for a prompt that is token ids alone
 */
export function requestBody(
  request: SamplingRequest,
  { count, seed }: { readonly count: number; readonly seed: number },
  settings: OpenaiSettings,
): Record<string, unknown> {
  const { model, endpoint, maxNewTokens, temperature, topP, topK, minP, stop, extraBody } = settings;
  const prompt = endpoint === 'chat' ? { messages: messagesOf(request) } : { prompt: Array.from(request.prompt) };
  const body = {
    model,
    ...prompt,
    max_tokens: maxNewTokens,
    temperature,
    top_p: topP,
    ...(topK !== undefined && { top_k: topK }),
    ...(minP !== undefined && { min_p: minP }),
    ...(stop !== undefined && { stop }),
    ...(count > 1 && { n: count }),
    seed,
    ...(request.logprobs === true && LOGPROBS[endpoint]),
  };
  return withExtraBody(body, extraBody);
}

/** A prompt that is a text becomes the one message of a user. */
function messagesOf({ row, messages, text }: SamplingRequest): readonly ChatMessage[] {
  if (messages !== undefined) return messages;
  if (text !== undefined) return [{ role: 'user', content: text }];
  throw new MetaapoError('data', 'the prompt is token ids alone, which no chat server reads', {
    where: `sampler openai, row ${row}`,
    remedy: 'Set endpoint: completions, which sends token ids',
  });
}
