import type { ServerProbe, Tokenizer } from '@metaapo/core/contracts';
import { type ChoiceReader, readResponse } from './read-choice.js';

/** The log-probability of a token that was drawn, with what the server says of the token. */
interface Entry {
  readonly logprob?: unknown;
  readonly token?: unknown;
  readonly id?: unknown;
}

/** `logprobs` of a choice: of conversations, or of completions. */
interface Logprobs {
  readonly content?: readonly Entry[] | null;
  readonly tokens?: readonly unknown[];
  readonly token_logprobs?: readonly unknown[];
}

/**
 * Token ids and log-probabilities in one of the `choices` of a reply. The ids are those that come with the
 * log-probabilities (llama.cpp; vLLM with `return_tokens_as_token_ids`), else those of the response. The end of a
 * response may lack its log-probability: then it is left out.
 * @returns `undefined` where there are no log-probabilities, or they belong to other tokens than the ids do
 * @throws MetaapoError with code `network` like `readResponse`
 */
export function readProbe(value: unknown, reader: ChoiceReader): ServerProbe['response'] {
  const entries = entriesOf((value as { readonly logprobs?: Logprobs | null } | undefined)?.logprobs);
  const logprobs = Float32Array.from(entries, ({ logprob }) => (typeof logprob === 'number' ? logprob : Number.NaN));
  if (logprobs.length === 0 || !logprobs.every(Number.isFinite)) return undefined;
  const tokens = idsIn(entries, reader.tokenizer) ?? idsOfResponse(value, entries, reader);
  return tokens && { tokens, logprobs };
}

function entriesOf(logprobs: Logprobs | null | undefined): readonly Entry[] {
  const { content, tokens, token_logprobs: values } = logprobs ?? {};
  if (Array.isArray(content)) return content;
  return Array.isArray(values) ? values.map((logprob, index) => ({ logprob, token: tokens?.[index] })) : [];
}

function idsIn(entries: readonly Entry[], { vocabularySize }: Tokenizer): Int32Array | undefined {
  const ids = entries.map(({ id, token }) => id ?? /^token_id:(\d+)$/.exec(String(token))?.[1]).map(Number);
  return ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize) ? Int32Array.from(ids) : undefined;
}

function idsOfResponse(value: unknown, entries: readonly Entry[], reader: ChoiceReader): Int32Array | undefined {
  const { tokens, finishReason, areSent } = readResponse(value, reader);
  const isWithoutEnd = finishReason === 'stop' && tokens.length === entries.length + 1;
  if (tokens.length !== entries.length && !isWithoutEnd) return undefined;
  const compared = tokens.subarray(0, entries.length);
  return areSent || entries.every(({ token }, at) => isPiece(token, compared[at]!, reader)) ? compared : undefined;
}

/** False where the server drew another token: text can be split into tokens in more ways than one. */
function isPiece(token: unknown, id: number, { tokenizer, eosTokenIds }: ChoiceReader): boolean {
  if (typeof token !== 'string' || eosTokenIds.includes(id)) return true;
  // Spaces differ by how a server shows the begin of a word.
  return tokenizer.decode([id], { keepSpecialTokens: true }).trim() === token.trim();
}
