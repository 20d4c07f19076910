import type { SamplingRequest, TextModel, Tokenizer } from '@metaapo/core/contracts';

const EXAMPLE = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
] as const;

/**
 * The id that ends a response to a request: in a conversation the one that the chat template puts there, which is not
 * always the tokenizer's own.
 */
export function endTokenFinder(
  { eosTokenIds }: TextModel,
  tokenizer: Tokenizer,
): (request: SamplingRequest) => number | undefined {
  const ofText = tokenizer.eosTokenId ?? eosTokenIds[0];
  const ofChat = endOfTurn(eosTokenIds, tokenizer) ?? ofText;
  return ({ messages }) => (messages === undefined ? ofText : ofChat);
}

function endOfTurn(eosTokenIds: readonly number[], tokenizer: Tokenizer): number | undefined {
  if (!tokenizer.hasChatTemplate) return undefined;
  try {
    return tokenizer.encode(tokenizer.renderChat(EXAMPLE)).findLast((id) => eosTokenIds.includes(id));
  } catch {
    // A template that refuses the example says nothing about its end.
    return undefined;
  }
}
