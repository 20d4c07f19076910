import type { ChatMessage, RewardRequest, ScoreAt, Tokenizer } from '@metaapo/core/contracts';

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
  { prompt, chat, response }: ScoredText,
  tokenizer: Tokenizer,
  scoreAt: ScoreAt = 'template-end',
): Int32Array {
  const isText = typeof prompt === 'string';
  const text = isText ? `${prompt}${response}` : tokenizer.renderChat([...prompt, ...answerOf(response)], chat);
  const { eosTokenId } = tokenizer;
  if (scoreAt === 'end-of-turn' && eosTokenId !== undefined) {
    const trimmed = text.replace(/\n+$/, '');
    const ids = tokenizer.encode(trimmed);
    return ids.at(-1) === eosTokenId ? ids : Int32Array.of(...tokenizer.encode(`${trimmed} `), eosTokenId);
  }
  const ids = tokenizer.encode(text, { addSpecialTokens: isText });
  const isEnded = !isText || eosTokenId === undefined || ids.at(-1) === eosTokenId;
  return isEnded ? ids : Int32Array.of(...ids, eosTokenId);
}

const answerOf = (response: ScoredText['response']): readonly ChatMessage[] =>
  typeof response === 'string' ? [{ role: 'assistant', content: response }] : response;
