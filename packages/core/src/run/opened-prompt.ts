import type { SampledResponse, TokenizedPreference } from '../contracts/index.js';

/** `[P]` the prompt that new responses to a row are sampled after: with what the template opens an answer with. */
export function openedPrompt({ prompt, opening }: Pick<TokenizedPreference, 'prompt' | 'opening'>): Int32Array {
  return opening === undefined ? prompt : Int32Array.of(...prompt, ...opening);
}

/** A response as it was sampled. */
type Sampled = Pick<SampledResponse, 'tokens' | 'finishReason'>;

/**
 * `[R]` a sampled response as it is trained after {@link openedPrompt}: one that has an end is followed by what the template
 * writes there, where the row's own responses keep it.
 * @param cutEnd put behind a response that was cut; absent, it stays without an end
 */
export function endedResponse(
  { ending = NOTHING }: Pick<TokenizedPreference, 'ending'>,
  { tokens, finishReason }: Sampled,
  cutEnd: Int32Array | undefined,
): Int32Array {
  if (finishReason === 'stop') return ending.length === 0 ? tokens : Int32Array.of(...tokens, ...ending);
  return cutEnd === undefined ? tokens : Int32Array.of(...tokens, ...cutEnd, ...ending);
}

const NOTHING = new Int32Array();

/** `[R]` the same as what follows the row's own prompt. */
export function openedResponse(
  row: Pick<TokenizedPreference, 'opening' | 'ending'>,
  sampled: Sampled,
  cutEnd: Int32Array | undefined,
): Int32Array {
  const ended = endedResponse(row, sampled, cutEnd);
  return row.opening === undefined ? ended : Int32Array.of(...row.opening, ...ended);
}
