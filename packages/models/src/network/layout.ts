import type { PromptGroup } from '@metaapo/core/contracts';
import { type AttentionForm, type IndexArray, layoutTiles, type Segment, type TileArrays } from './attention-tiles.js';

/**
 * Groups of one prompt with its responses, packed without padding: N tokens, each group's prompt first, then its
 * responses, whose positions continue the prompt's. The last token of a response is only predicted, so it takes no
 * place. See `TileRows` for the attention part.
 */
export interface PackedLayout extends TileArrays {
  /** `[N]` token ids. */
  readonly tokens: IndexArray;
  /** `[N]` position of each token in its own sequence. */
  readonly positions: Int32Array;
  /** `[M]` row of the token after which each response token is predicted. */
  readonly predictingRows: IndexArray;
  /** `[M]` the predicted token ids, response after response. */
  readonly targets: Int32Array;
  /** `[R]` number of tokens of each response. */
  readonly tokenCounts: Int32Array;
}

/** Packs groups for one pass; see {@link PackedLayout}. */
export function layoutGroups(groups: readonly PromptGroup[], form: AttentionForm): PackedLayout {
  const tokens: number[] = [];
  const positions: number[] = [];
  const predicting: number[] = [];
  const targets: number[] = [];
  const counts: number[] = [];
  const segments: Segment[] = [];
  for (const { prompt, responses } of groups) {
    const start = tokens.length;
    prompt.forEach((token, position) => {
      tokens.push(token);
      positions.push(position);
    });
    segments.push({ start, length: prompt.length, contextStart: start, contextLength: 0 });
    for (const response of responses) {
      const own = tokens.length;
      response.forEach((token, index) => {
        predicting.push(index === 0 ? start + prompt.length - 1 : own + index - 1);
        targets.push(token);
        if (index === response.length - 1) return;
        tokens.push(token);
        positions.push(prompt.length + index);
      });
      counts.push(response.length);
      if (response.length > 1) {
        segments.push({
          start: own,
          length: response.length - 1,
          contextStart: start,
          contextLength: prompt.length,
        });
      }
    }
  }
  return {
    tokens: { data: Int32Array.from(tokens), shape: [tokens.length] },
    positions: Int32Array.from(positions),
    ...layoutTiles(segments, positions, form),
    predictingRows: { data: Int32Array.from(predicting), shape: [predicting.length] },
    targets: Int32Array.from(targets),
    tokenCounts: Int32Array.from(counts),
  };
}
