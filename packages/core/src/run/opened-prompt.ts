import type { TokenizedPreference } from '../contracts/index.js';

/** `[P]` the prompt that new responses to a row are sampled after: with what the template opens an answer with. */
export function openedPrompt({ prompt, opening }: Pick<TokenizedPreference, 'prompt' | 'opening'>): Int32Array {
  return opening === undefined ? prompt : Int32Array.of(...prompt, ...opening);
}

/** `[R]` a sampled response as what follows the row's own prompt. */
export function openedResponse({ opening }: Pick<TokenizedPreference, 'opening'>, tokens: Int32Array): Int32Array {
  return opening === undefined ? tokens : Int32Array.of(...opening, ...tokens);
}
