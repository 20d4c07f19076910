import { MetaapoError } from '@metaapo/core/contracts';
import { type JsonClient, TransientError, withExtraBody } from '@metaapo/core/http';
import { z } from 'zod';
import { createReadableGuard } from '../readable-guard.js';
import { attemptsOf, type JudgeSettings } from './judge-options.js';

/** Asks a judge; `undefined` when no answer could be read. */
export type AskJudge = <Value>(
  question: string,
  read: (answer: string) => Value | undefined,
  signal: AbortSignal,
) => Promise<Value | undefined>;

/**
 * A judge that is asked again, with another seed, until its answer can be read. A judge of whose first answers none can be
 * read is an error that shows one of them.
 */
export function createAskJudge(service: string, client: JsonClient, settings: JudgeSettings): AskJudge {
  const expected = settings.mode === 'pointwise' ? 'an answer that states Score: 7' : 'an answer that states Winner: A';
  const remedy =
    'Set pattern to an expression that finds it, ask for that form in the template, or raise maxNewTokens where the ' +
    'answer is cut';
  const guard = createReadableGuard(service, expected, remedy);
  const attempts = attemptsOf(settings);
  return async (question, read, signal) => {
    let answer: Answer | undefined;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const body = bodyOf(question, attempt, settings);
      answer = await client.post('chat/completions', body, signal, (reply) => answerIn(service, reply, client));
      const value = read(answer.text);
      if (value !== undefined) {
        guard.read();
        return value;
      }
    }
    guard.unread(shownAnswer(answer!, client));
    return undefined;
  };
}

function bodyOf(question: string, seed: number, settings: JudgeSettings): Record<string, unknown> {
  const { model, systemPrompt, maxNewTokens, temperature, extraBody } = settings;
  const system = systemPrompt === undefined ? [] : [{ role: 'system', content: systemPrompt }];
  const messages = [...system, { role: 'user', content: question }];
  return withExtraBody({ model, messages, max_tokens: maxNewTokens, temperature, seed }, extraBody);
}

/** What a judge said, and what a message may say of it where that is nothing. */
interface Answer {
  readonly text: string;
  readonly source: unknown;
}

const part = z.object({ text: z.string().optional() }).transform(({ text = '' }) => text);
const content = z.union([z.string(), z.array(part).transform((parts) => parts.join(''))]);
const choiceSchema = z.object({ message: z.object({ content: content.nullish() }) });
const replySchema = z.object({ choices: z.array(z.unknown()).nullable() });

/** Text of the first choice; empty where the judge said nothing. */
function answerIn(where: string, reply: unknown, client: JsonClient): Answer {
  const parsed = replySchema.safeParse(reply);
  const fault = { where, expected: 'the reply of an OpenAI-compatible server', got: client.shown(reply) };
  if (!parsed.success) {
    const remedy = 'Check that baseUrls end with /v1';
    throw new MetaapoError('network', 'the reply holds no choices', { ...fault, remedy });
  }
  const [source] = parsed.data.choices ?? [];
  if (source === undefined) {
    throw new TransientError(new MetaapoError('network', 'the judge gave no answer', fault));
  }
  return { text: choiceSchema.safeParse(source).data?.message.content ?? '', source };
}

/** The end of an answer, where a score stands, or the whole choice where nothing was said. */
function shownAnswer({ text, source }: Answer, client: JsonClient): string {
  const end = text.trimEnd().slice(-SHOWN);
  return client.shown(end === '' ? source : end);
}

const SHOWN = 150;
