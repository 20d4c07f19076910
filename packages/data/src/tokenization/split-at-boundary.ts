/** A prompt and its responses as ids: the prompt's followed by a response's are the ids of the whole text. */
export interface SplitIds {
  readonly prompt: Int32Array;
  readonly responses: readonly Int32Array[];
  /** Ids that the chat template opens an answer with and that these responses lack, where there are such. */
  readonly opening?: Int32Array;
}

/**
 * Whole sequences cut where their prompt ends. Where a tokenizer merges the prompt's last characters with a response's
 * first ones, or where a chat template opens an answer with what a given one lacks (`<think>`), the boundary moves back,
 * for all responses alike, to the longest prefix that prompt and wholes share: what differs belongs to the response.
 * @param prompt ids of the prompt alone, `[P]`
 * @param wholes ids of the prompt with each response, `[P' + R]` each
 */
export function splitAtBoundary(prompt: Int32Array, wholes: readonly Int32Array[]): SplitIds {
  const boundary = Math.min(...wholes.map((whole) => sharedLength(prompt, whole)));
  return { prompt: prompt.slice(0, boundary), responses: wholes.map((whole) => whole.slice(boundary)) };
}

function sharedLength(first: Int32Array, second: Int32Array): number {
  const different = first.findIndex((id, position) => second[position] !== id);
  return different === -1 ? first.length : different;
}
