import type { PromptGroup } from '@metaapo/core/contracts';
import { type AttentionForm, type IndexArray, layoutTiles, type Segment, type TileArrays } from './attention-tiles.js';

/**
 * Groups of one prompt with its responses, packed one after the other: N tokens, each group's prompt first, then its
 * responses, whose positions continue the prompt's. The last token of a response is only predicted, so it takes no
 * place. N and M are filled up to a size of the form with tokens that none attends to and rows that none reads.
 */
export interface PackedLayout {
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
  /** `[S, 4]` start, length, start of the context and its length, of each prompt and response. */
  readonly segments: IndexArray;
  /** The same for attention that is computed on tiles; absent where a kernel reads the segments. */
  readonly tiles?: TileArrays;
}

/**
 * Packs groups for one pass; see {@link PackedLayout}.
 * @param fill how many tokens, and predicted ones, to fill up to; default: as the form says
 */
export function layoutGroups(
  groups: readonly PromptGroup[],
  form: AttentionForm,
  fill: (count: number) => number = form.sizes.tokens,
): PackedLayout {
  const packed: PackedRows = { tokens: [], positions: [], predicting: [], targets: [], counts: [], segments: [] };
  for (const group of groups) packGroup(packed, group);
  const [rows, predicted] = [fill(packed.tokens.length), fill(packed.targets.length)];
  const positions = filledWithZeros(packed.positions, rows);
  return {
    tokens: { data: filledWithZeros(packed.tokens, rows), shape: [rows] },
    positions,
    predictingRows: { data: filledWithZeros(packed.predicting, predicted), shape: [predicted] },
    targets: filledWithZeros(packed.targets, predicted),
    tokenCounts: Int32Array.from(packed.counts),
    segments: segmentArray(packed.segments),
    ...(form.kernels.has('Attention') ? {} : { tiles: layoutTiles(packed.segments, positions, form) }),
  };
}

function segmentArray(segments: readonly Segment[]): IndexArray {
  const data = segments.flatMap(({ start, length, contextStart, contextLength }) => [
    start,
    length,
    contextStart,
    contextLength,
  ]);
  return { data: Int32Array.from(data), shape: [segments.length, 4] };
}

/** The rows of the groups so far. */
interface PackedRows extends Readonly<Record<'tokens' | 'positions' | 'predicting' | 'targets' | 'counts', number[]>> {
  readonly segments: Segment[];
}

function packGroup(packed: PackedRows, { prompt, responses }: PromptGroup): void {
  const start = packed.tokens.length;
  prompt.forEach((token, position) => {
    packed.tokens.push(token);
    packed.positions.push(position);
  });
  packed.segments.push({ start, length: prompt.length, contextStart: start, contextLength: 0 });
  for (const response of responses) packResponse(packed, response, { start, length: prompt.length });
}

/** @param prompt the rows of its prompt */
function packResponse(packed: PackedRows, response: Int32Array, prompt: Pick<Segment, 'start' | 'length'>): void {
  const start = packed.tokens.length;
  const last = response.length - 1;
  response.forEach((token, index) => {
    packed.predicting.push(index === 0 ? prompt.start + prompt.length - 1 : start + index - 1);
    packed.targets.push(token);
    if (index === last) return;
    packed.tokens.push(token);
    packed.positions.push(prompt.length + index);
  });
  packed.counts.push(response.length);
  if (last < 1) return;
  packed.segments.push({ start, length: last, contextStart: prompt.start, contextLength: prompt.length });
}

function filledWithZeros(values: readonly number[], length: number): Int32Array {
  const filled = new Int32Array(length);
  filled.set(values);
  return filled;
}
