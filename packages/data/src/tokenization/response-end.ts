import type { Tokenizer } from '@metaapo/core/contracts';
import type { SplitIds } from './split-at-boundary.js';

/** Where the responses of conversations end. */
export interface ResponseEnd {
  /**
   * `template-end` (default): with all that the chat template writes. `end-of-turn`, as recipes have it for pairs: at the
   * end-of-sequence token, as a policy ends its own responses; blanks behind it are left out.
   */
  readonly responseEnd?: 'end-of-turn' | 'template-end' | undefined;
  /** Ids that end a response; default the tokenizer's own one. */
  readonly endTokenIds?: readonly number[] | undefined;
}

/** Ids of a row, and what its template writes behind the end of a turn, where its responses keep it. */
export interface EndedIds extends SplitIds {
  readonly ending?: Int32Array;
}

/** A conversation's responses, which the chat template has ended, as they are to end. */
export function endResponses(
  ids: SplitIds,
  tokenizer: Tokenizer,
  { responseEnd = 'template-end', endTokenIds }: ResponseEnd,
): EndedIds {
  const ends = endTokenIds ?? (tokenizer.eosTokenId === undefined ? [] : [tokenizer.eosTokenId]);
  const lengths = ids.responses.map((response) => lengthOfTurn(response, ends, tokenizer));
  if (responseEnd === 'end-of-turn') {
    return { ...ids, responses: ids.responses.map((response, index) => response.slice(0, lengths[index])) };
  }
  const ending = ids.responses[0]?.slice(lengths[0]);
  return ending === undefined || ending.length === 0 ? ids : { ...ids, ending };
}

/** Tokens up to the last end token, where nothing but blanks follows it; else all of them. */
function lengthOfTurn(response: Int32Array, ends: readonly number[], tokenizer: Tokenizer): number {
  const length = response.findLastIndex((id) => ends.includes(id)) + 1;
  if (length === 0) return response.length;
  const rest = tokenizer.decode(response.subarray(length), { keepSpecialTokens: true });
  return rest.trim() === '' ? length : response.length;
}
