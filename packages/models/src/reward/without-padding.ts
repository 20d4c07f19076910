import type { PromptGroup } from '@metaapo/core/contracts';

/**
 * Groups that end where transformers reads the score of a reward model: at the last token that is not `pad_token_id`,
 * also where that is the end token; at the first token of what is nothing but padding.
 * @param padTokenId of config.json; absent, the last token is read
 */
export function withoutPadding(groups: readonly PromptGroup[], padTokenId: number | undefined): readonly PromptGroup[] {
  if (padTokenId === undefined) return groups;
  return groups.flatMap((group) => {
    const responses = group.responses.map((response) => trimmed(response, padTokenId));
    if (responses.every(({ length }) => length > 0)) return [{ ...group, responses }];
    return group.responses.map((response): PromptGroup => {
      const whole = Int32Array.of(...group.prompt, ...response);
      const read = trimmed(whole, padTokenId);
      return { prompt: new Int32Array(), responses: [read.length > 0 ? read : whole.subarray(0, 1)] };
    });
  });
}

function trimmed(ids: Int32Array, padTokenId: number): Int32Array {
  let { length } = ids;
  while (length > 0 && ids[length - 1] === padTokenId) length--;
  return ids.subarray(0, length);
}
