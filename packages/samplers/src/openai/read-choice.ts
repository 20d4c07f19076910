import type { SampledResponse, Tokenizer } from '@metaapo/core/contracts';
import { MetaapoError, textBeforeStop } from '@metaapo/core/contracts';

/** What reading a choice needs. */
export interface ChoiceReader {
  readonly tokenizer: Tokenizer;
  /** Id that ends a response. */
  readonly endTokenId: number | undefined;
  /** Ids that end a response as well. */
  readonly eosTokenIds: readonly number[];
  /** Texts that end a response and are no part of it. */
  readonly stop?: readonly string[] | undefined;
  /** The request, for messages. */
  readonly where: string;
  /** What came, for messages. */
  readonly shown: (value: unknown) => string;
}

/** A choice as the servers send it, whatever it holds. */
interface Choice {
  readonly finish_reason?: unknown;
  readonly text?: unknown;
  readonly message?: Readonly<Record<'content' | 'reasoning' | 'reasoning_content', unknown>> | undefined;
  /** Token ids, from a server that was asked for them. */
  readonly token_ids?: unknown;
  /** What ended it: a text in case of a stop text. */
  readonly stop_reason?: unknown;
  readonly matched_stop?: unknown;
}

/** A response, and whether its token ids are the server's. */
export type ReadResponse = SampledResponse & { readonly areSent: boolean };

/**
 * The response in one of the `choices` of a reply. Its token ids are the server's, where it sends them and no stop text
 * ended it, else those that the tokenizer gives its text; after `stop` the end id is the last one.
 * @throws MetaapoError with code `network` for another finish reason than `stop` and `length`, or no text
 */
export function readResponse(value: unknown, reader: ChoiceReader): ReadResponse {
  const choice = (value ?? {}) as Choice;
  const stated = finishReasonOf(choice, reader);
  const whole = textOf(choice, reader);
  // Some servers leave the stop text in.
  const text = textBeforeStop(whole, reader.stop ?? []);
  const isCutAtStop = text.length < whole.length;
  const finishReason = isCutAtStop ? 'stop' : stated;
  const sent = isCutAtStop ? undefined : sentIds(choice, reader);
  const ids = sent ?? reader.tokenizer.encode(text);
  return {
    text,
    tokens: finishReason === 'stop' ? withEnd(ids, reader) : ids,
    finishReason,
    areSent: sent !== undefined,
  };
}

/** The response in one of the `choices` of a reply, as a sampler gives it; see {@link readResponse}. */
export function readChoice(value: unknown, reader: ChoiceReader): SampledResponse {
  const { text, tokens, finishReason } = readResponse(value, reader);
  return { text, tokens, finishReason };
}

function finishReasonOf({ finish_reason: reason }: Choice, reader: ChoiceReader): 'stop' | 'length' {
  if (reason === 'stop' || reason === 'length') return reason;
  throw refused(reader, 'the server ended a response in another way', {
    expected: 'finish_reason stop or length',
    got: reader.shown(reason ?? null),
    remedy: "Look into the server's log",
  });
}

function textOf({ text, message }: Choice, reader: ChoiceReader): string {
  const reasoning = message?.reasoning_content ?? message?.reasoning;
  if (typeof reasoning === 'string' && reasoning !== '') {
    throw refused(reader, 'the server splits the reasoning off the response', {
      expected: 'the response as the policy wrote it',
      remedy: 'Start the server without a reasoning parser',
    });
  }
  const content = message === undefined ? text : (message.content ?? '');
  if (typeof content === 'string') return content;
  throw refused(reader, 'a choice has no text', { expected: 'message.content or text', got: reader.shown(content) });
}

/** The server's ids, unless a stop text ended the response: then they reach beyond its text. */
function sentIds({ token_ids: ids, stop_reason, matched_stop }: Choice, reader: ChoiceReader): Int32Array | undefined {
  if (!Array.isArray(ids) || ids.length === 0) return undefined;
  if (typeof stop_reason === 'string' || typeof matched_stop === 'string') return undefined;
  const { vocabularySize } = reader.tokenizer;
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong === undefined) return Int32Array.from(ids as number[]);
  throw refused(reader, 'the server sent a token id that the policy does not have', {
    expected: `ids from 0 to ${vocabularySize - 1}`,
    got: reader.shown(wrong),
    remedy: 'Serve the policy that is trained',
  });
}

function withEnd(ids: Int32Array, reader: ChoiceReader): Int32Array {
  if (ids.length > 0 && reader.eosTokenIds.includes(ids.at(-1)!)) return ids;
  if (reader.endTokenId !== undefined) return Int32Array.of(...ids, reader.endTokenId);
  throw new MetaapoError('config', 'the policy names no token that ends a response', {
    where: 'sampler openai',
    expected: 'eos_token_id in config.json or generation_config.json, or eos_token in tokenizer_config.json',
  });
}

function refused(
  { where }: ChoiceReader,
  summary: string,
  fault: { readonly expected?: string; readonly got?: string; readonly remedy?: string },
): MetaapoError {
  return new MetaapoError('network', summary, { where, ...fault });
}
