import type { PromptGroup } from '@metaapo/core/contracts';
import { type AttentionForm, type IndexArray, layoutTiles, type Segment, type TileArrays } from './attention-tiles.js';
import { lengthClass } from './size-class.js';

/**
 * Groups of one prompt with its responses, packed one after the other: N tokens, each group's prompt first, then its
 * responses, whose positions continue the prompt's. The last token of a response is only predicted, so it takes no
 * place. N and M are filled up to a {@link lengthClass} with tokens that none attends to and rows that none reads. See
 * `TileRows` for the attention part.
 */
export interface PackedLayout extends TileArrays {
  /** `[N]` token ids. */
  readonly tokens: IndexArray;
  /** `[N]` position of each token in its own sequence. */
  readonly positions: Int32Array;
  /** `[M]` row of the token after which each response token is predicted. */
  readonly predictingRows: IndexArray;
  /** `[M]` the predicted token ids, response after response; then zeros. */
  readonly targets: Int32Array;
  /** `[R]` number of tokens of each response. */
  readonly tokenCounts: Int32Array;
}

/**
 * Packs groups for one pass; see {@link PackedLayout}.
 * @param fill how many tokens, and predicted ones, to fill up to; default {@link lengthClass}
 */
export function layoutGroups(
  groups: readonly PromptGroup[],
  form: AttentionForm,
  fill: (count: number) => number = lengthClass,
): PackedLayout {
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
  const [rows, predicted] = [fill(tokens.length), fill(targets.length)];
  const filledPositions = filledWithZeros(positions, rows);
  return {
    tokens: { data: filledWithZeros(tokens, rows), shape: [rows] },
    positions: filledPositions,
    ...layoutTiles(segments, filledPositions, form),
    predictingRows: { data: filledWithZeros(predicting, predicted), shape: [predicted] },
    targets: filledWithZeros(targets, predicted),
    tokenCounts: Int32Array.from(counts),
  };
}

function filledWithZeros(values: readonly number[], length: number): Int32Array {
  const filled = new Int32Array(length);
  filled.set(values);
  return filled;
}
