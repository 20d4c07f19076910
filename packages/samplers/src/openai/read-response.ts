import type { SampledResponse, ServerProbe, Tokenizer } from '@metaapo/core/contracts';
import { MetaapoError, textBeforeStop } from '@metaapo/core/contracts';
import type { Choice } from './read-choices.js';
import { idsOf, type LogprobEntry, logprobEntries, valuesOf } from './read-logprobs.js';
import { OddResponse } from './unusable.js';

/** What reading a response needs. */
export interface ResponseReader {
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

/** A response, and whether its token ids are the server's. */
type ReadResponse = SampledResponse & { readonly areSent: boolean };

/** What servers call the ways in which a response ends, in lower case. */
export const FINISHES: Readonly<Record<string, SampledResponse['finishReason']>> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  max_length: 'length',
  model_length: 'length',
};
/** Ways to end of a server that may do better the next time. */
const PASSING = ['abort', 'aborted', 'cancel', 'cancelled', 'canceled', 'error', 'timeout'];

/**
 * The response in a choice. Its token ids are the server's, where it sends them and no stop text ended it, else those that
 * the tokenizer gives its text; after `stop` the end id is the last one.
 * @returns an {@link OddResponse} where it ended in another way than `stop` and `length`, has no text, or had something
 * taken out of it that its token ids do not give back
 * @throws MetaapoError with code `network` for token ids that the policy does not have
 */
export function readResponse(choice: Choice, reader: ResponseReader): SampledResponse | OddResponse {
  const response = readWithIds(choice, reader);
  if (response instanceof OddResponse) return response;
  const { text, tokens, finishReason } = response;
  return { text, tokens, finishReason };
}

function readWithIds(choice: Choice, reader: ResponseReader): ReadResponse | OddResponse {
  const { tokenizer, stop = [] } = reader;
  const all = idsIn(choice, reader);
  const stated = finishOf(choice, all);
  const said = choice.takenOut.length === 0 ? choice.text : all && tokenizer.decode(all);
  if (stated === undefined || said === undefined) return oddResponse(choice, reader);
  // Some servers leave the stop text in.
  const text = textBeforeStop(said, stop);
  const isCutAtStop = text.length < said.length;
  const finishReason = isCutAtStop ? 'stop' : stated;
  const sent = isCutAtStop || choice.isEndedByText ? undefined : all;
  const ids = sent ?? tokenizer.encode(text);
  const tokens = finishReason === 'stop' ? withEnd(ids, reader) : ids;
  return { text, tokens, finishReason, areSent: sent !== undefined };
}

/** How a choice ended; calls of tools that a server took out are an end like another, where the ids tell of them. */
function finishOf(
  { finishReason, takenOut }: Choice,
  ids: Int32Array | undefined,
): SampledResponse['finishReason'] | undefined {
  if (takenOut.includes('tool calls') && ids !== undefined && finishReason !== 'length') return 'stop';
  const name = finishReason?.toLowerCase() ?? '';
  return Object.hasOwn(FINISHES, name) ? FINISHES[name] : undefined;
}

/** All ids that the server sends, also those of a stop text. */
function idsIn({ tokenIds }: Choice, reader: ResponseReader): Int32Array | undefined {
  if (tokenIds.length === 0) return undefined;
  const { vocabularySize } = reader.tokenizer;
  const wrong = tokenIds.find((id) => id < 0 || id >= vocabularySize);
  if (wrong === undefined) return Int32Array.from(tokenIds);
  throw new MetaapoError('network', 'the server sent a token id that the policy does not have', {
    where: reader.where,
    expected: `ids from 0 to ${vocabularySize - 1}`,
    got: reader.shown(wrong),
    remedy: 'Serve the policy that is trained',
  });
}

function withEnd(ids: Int32Array, reader: ResponseReader): Int32Array {
  if (ids.length > 0 && reader.eosTokenIds.includes(ids.at(-1)!)) return ids;
  if (reader.endTokenId !== undefined) return Int32Array.of(...ids, reader.endTokenId);
  throw new MetaapoError('config', 'the policy names no token that ends a response', {
    where: 'sampler openai',
    expected: 'eos_token_id in config.json or generation_config.json, or eos_token in tokenizer_config.json',
  });
}

function oddResponse({ takenOut, finishReason, text, source }: Choice, { where, shown }: ResponseReader): OddResponse {
  const [taken] = takenOut;
  if (taken !== undefined) {
    const parser = taken === 'reasoning' ? 'a reasoning parser' : 'a tool parser';
    return new OddResponse(`${taken} apart`, `the server splits ${taken} off the response`, {
      where,
      expected: 'the response as the policy wrote it',
      got: shown(source),
      remedy: `Start the server without ${parser}, or have it send token ids (vLLM: extraBody: { return_token_ids: true })`,
    });
  }
  if (text === undefined) {
    const fault = { where, expected: 'message.content or text', got: shown(source), remedy: LOG };
    return new OddResponse('no text', 'a choice has no text', fault);
  }
  const reason = finishReason?.toLowerCase();
  const fault = {
    where,
    expected: 'finish_reason stop or length',
    got: shown(finishReason ?? null),
    remedy: reason === 'content_filter' ? "Turn the server's filter off" : LOG,
  };
  const mayPass = reason === undefined || PASSING.includes(reason);
  const summary = 'the server ended a response in another way';
  return new OddResponse(`finish_reason ${shown(finishReason ?? null)}`, summary, fault, mayPass);
}

const LOG = "Look into the server's log";

/**
 * Token ids and log-probabilities of the tokens of a choice. The ids are those that come with the log-probabilities, else
 * those of the response. The end of a response may lack its log-probability: then it is left out.
 * @returns `undefined` where there are no log-probabilities, or they belong to other tokens than the ids do
 * @throws MetaapoError with code `network` like `readResponse`
 */
export function readLogprobs(choice: Choice, reader: ResponseReader): ServerProbe['response'] {
  const entries = logprobEntries(choice.logprobs);
  const logprobs = valuesOf(entries);
  if (logprobs === undefined) return undefined;
  const tokens = idsOf(entries, reader.tokenizer) ?? idsOfResponse(choice, entries, reader);
  return tokens && { tokens, logprobs };
}

function idsOfResponse(
  choice: Choice,
  entries: readonly LogprobEntry[],
  reader: ResponseReader,
): Int32Array | undefined {
  const response = readWithIds(choice, reader);
  if (response instanceof OddResponse) return undefined;
  const { tokens, finishReason, areSent } = response;
  const isWithoutEnd = finishReason === 'stop' && tokens.length === entries.length + 1;
  if (tokens.length !== entries.length && !isWithoutEnd) return undefined;
  const compared = tokens.subarray(0, entries.length);
  return areSent || entries.every(({ token }, at) => isPiece(token, compared[at]!, reader)) ? compared : undefined;
}

/** False where the server drew another token: text can be split into tokens in more ways than one. */
function isPiece(token: unknown, id: number, { tokenizer, eosTokenIds }: ResponseReader): boolean {
  if (typeof token !== 'string' || eosTokenIds.includes(id)) return true;
  // Spaces differ by how a server shows the begin of a word.
  return tokenizer.decode([id], { keepSpecialTokens: true }).trim() === token.trim();
}
