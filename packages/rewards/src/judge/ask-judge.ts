import { MetaapoError } from '@metaapo/core/contracts';
import { type JsonClient, withExtraBody } from '@metaapo/core/http';
import type { JudgeSettings } from './judge-options.js';

/** Asks a judge; `undefined` when no answer could be read. */
export type AskJudge = <Value>(
  question: string,
  read: (lastLine: string) => Value | undefined,
  signal: AbortSignal,
) => Promise<Value | undefined>;

/** A judge that is asked again, with another seed, until the last line of its answer can be read. */
export function createAskJudge(client: JsonClient, settings: JudgeSettings): AskJudge {
  return async (question, read, signal) => {
    for (let attempt = 0; attempt < settings.attempts; attempt++) {
      const reply = await client.post('chat/completions', bodyOf(question, attempt, settings), signal);
      const value = read(lastLine(answerOf(reply, client)));
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

function bodyOf(question: string, seed: number, settings: JudgeSettings): Record<string, unknown> {
  const { model, systemPrompt, maxNewTokens, temperature, extraBody } = settings;
  const system = systemPrompt === undefined ? [] : [{ role: 'system', content: systemPrompt }];
  const messages = [...system, { role: 'user', content: question }];
  return withExtraBody({ model, messages, max_tokens: maxNewTokens, temperature, seed }, extraBody);
}

/** Text of the first choice; empty where the judge said nothing. */
function answerOf(reply: unknown, client: JsonClient): string {
  const { choices } = (reply ?? {}) as { readonly choices?: unknown };
  if (!Array.isArray(choices)) {
    throw new MetaapoError('network', 'the reply holds no choices', {
      where: 'reward model judge',
      expected: 'the reply of an OpenAI-compatible server',
      got: client.shown(reply),
      remedy: 'Check that baseUrls end with /v1',
    });
  }
  const content = (choices[0] as { message?: { content?: unknown } } | undefined)?.message?.content;
  return typeof content === 'string' ? content : '';
}

function lastLine(answer: string): string {
  return answer.trimEnd().split('\n').at(-1)!.trim();
}
