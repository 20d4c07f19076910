import type { PromptGroup, TokenizedPreference, TrainableModel } from '../contracts/index.js';
import { packByTokens } from '../numerics/index.js';

/** Number of responses of a row: chosen, rejected, and the online pair where there is one. */
export type RowLogprobs = Float32Array;

/** The prompt of a row with all of its responses: chosen, rejected[, online chosen, online rejected]. */
export function groupOf(row: TokenizedPreference): PromptGroup {
  const { prompt, chosen, rejected, onlineChosen, onlineRejected } = row;
  const isPaired = onlineChosen !== undefined && onlineRejected !== undefined;
  return { prompt, responses: isPaired ? [chosen, rejected, onlineChosen, onlineRejected] : [chosen, rejected] };
}

/** Tokens that a group costs when its prompt is computed once. */
export function tokensOf({ prompt, responses }: PromptGroup): number {
  return responses.reduce((sum, response) => sum + response.length, prompt.length);
}

/** Splits the values of R responses, group after group, into one array a group. */
export function splitByGroup(values: Float32Array, groups: readonly PromptGroup[]): Float32Array[] {
  let at = 0;
  return groups.map(({ responses }) => {
    at += responses.length;
    return values.slice(at - responses.length, at);
  });
}

/** What an evaluation reports as it goes. */
export type RowProgress = (rows: number) => void;

/**
 * Sum log-probabilities of every response of every row, without gradient.
 * @returns a `[responses]` float32 array a row
 */
export async function evaluateRows(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  microBatchTokens: number,
  options: { readonly progress?: RowProgress | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<RowLogprobs[]> {
  const groups = rows.map(groupOf);
  const results: RowLogprobs[] = [];
  for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
    options.signal?.throwIfAborted();
    const part = groups.slice(start, end);
    results.push(...splitByGroup((await model.evaluate(part)).sumLogprobs, part));
    options.progress?.(results.length);
  }
  return results;
}
