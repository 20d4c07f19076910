import {
  type ChatMessage,
  encodeTexts,
  type RewardRequest,
  type ScoreAt,
  type TextToEncode,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { mapWithinTime } from '@metaapo/core/storage';

/** What is scored: a prompt with a response of one text or of several messages. */
export type ScoredText = Omit<RewardRequest, 'response'> & { readonly response: string | readonly ChatMessage[] };

/**
 * Token ids of a prompt with its response, at the last of which a reward model scores. `template-end`: the conversation
 * exactly as the chat template renders it, as Hugging Face's trainers feed it and as `metaapo train-reward` does; text gets
 * the tokenizer's special tokens before it and the end-of-sequence token behind it. `end-of-turn`, as OpenRLHF feeds it:
 * line breaks at the end are left out, and a text that does not end with the end-of-sequence token gets a space and that
 * token behind it, and none before it.
 */
export function encodeForReward(
  scored: ScoredText,
  tokenizer: Tokenizer,
  scoreAt: ScoreAt = 'template-end',
): Int32Array {
  const { text, addSpecialTokens, finish } = textForReward(scored, tokenizer, scoreAt);
  return finish(tokenizer.encode(text, { addSpecialTokens }));
}

/** {@link encodeForReward} of many, rendered under one watch and encoded together. */
export async function encodeAllForReward(
  scored: readonly ScoredText[],
  tokenizer: Tokenizer,
  scoreAt: ScoreAt,
): Promise<readonly Int32Array[]> {
  const watched = { where: 'the chat template', what: 'a batch of conversations' };
  const texts = mapWithinTime(scored, (one) => textForReward(one, tokenizer, scoreAt), watched);
  const ids = await encodeTexts(texts, tokenizer);
  return texts.map(({ finish }, at) => finish(ids[at]!));
}

/** What is encoded, and what comes of its ids. */
interface TextForReward extends TextToEncode {
  finish(ids: Int32Array): Int32Array;
}

function textForReward({ prompt, chat, response }: ScoredText, tokenizer: Tokenizer, scoreAt: ScoreAt): TextForReward {
  const isText = typeof prompt === 'string';
  const text = isText ? `${prompt}${response}` : tokenizer.renderChat([...prompt, ...answerOf(response)], chat);
  const { eosTokenId } = tokenizer;
  if (eosTokenId === undefined) return { text, addSpecialTokens: isText, finish: (ids) => ids };
  const isEnded = (ids: Int32Array): boolean => ids.at(-1) === eosTokenId;
  if (scoreAt === 'end-of-turn') {
    const trimmed = text.replace(/\n+$/, '');
    const ended = (): Int32Array => Int32Array.of(...tokenizer.encode(`${trimmed} `), eosTokenId);
    return { text: trimmed, addSpecialTokens: false, finish: (ids) => (isEnded(ids) ? ids : ended()) };
  }
  const finish = (ids: Int32Array): Int32Array => (!isText || isEnded(ids) ? ids : Int32Array.of(...ids, eosTokenId));
  return { text, addSpecialTokens: isText, finish };
}

const answerOf = (response: ScoredText['response']): readonly ChatMessage[] =>
  typeof response === 'string' ? [{ role: 'assistant', content: response }] : response;
