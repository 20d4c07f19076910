import type { RewardRequest, Tokenizer } from '@metaapo/core/contracts';

/**
 * Token ids of a prompt with its response, at the last of which a reward model scores: the conversation exactly as the
 * chat template renders it, as Hugging Face's trainers feed it and as `metaapo train-reward` does. What a template puts
 * behind the token that ends a turn (ChatML: a line break) is a part of it, since a head is read where it was trained.
 * Text gets the tokenizer's special tokens before it and the end-of-sequence token behind it.
 */
export function encodeForReward({ prompt, chat, response }: RewardRequest, tokenizer: Tokenizer): Int32Array {
  if (typeof prompt !== 'string') {
    return tokenizer.encode(tokenizer.renderChat([...prompt, { role: 'assistant', content: response }], chat));
  }
  const ids = tokenizer.encode(prompt + response, { addSpecialTokens: true });
  const { eosTokenId } = tokenizer;
  return eosTokenId === undefined || ids.at(-1) === eosTokenId ? ids : Int32Array.of(...ids, eosTokenId);
}
