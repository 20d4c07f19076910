import {
  type PassOptions,
  type PromptGroup,
  type TokenizedPreference,
  type TokenizedTurn,
  type TrainableModel,
  yieldToEvents,
} from '../contracts/index.js';
import { packByTokens } from '../numerics/index.js';

/** Number of responses of a row: chosen, rejected, and the online pair where there is one. */
export type RowLogprobs = Float32Array;

/** The prompt of a row with all of its responses: chosen, rejected[, online chosen, online rejected]. */
export function groupOf(row: TokenizedPreference): PromptGroup {
  const { prompt, chosen, rejected, onlineChosen, onlineRejected } = row;
  const isPaired = onlineChosen !== undefined && onlineRejected !== undefined;
  return { prompt, responses: isPaired ? [chosen, rejected, onlineChosen, onlineRejected] : [chosen, rejected] };
}

/** The prompt of a turn with its one response. */
export function groupOfTurn({ prompt, response }: TokenizedTurn): PromptGroup {
  return { prompt, responses: [response] };
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

/** How an evaluation without gradient tells how far it is, and how it is stopped. */
interface ReadingControls {
  readonly progress?: RowProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sum log-probabilities of every response of every row, without gradient.
 * @returns a `[responses]` float32 array a row
 */
export async function evaluateRows(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  microBatchTokens: number,
  controls: ReadingControls = {},
): Promise<RowLogprobs[]> {
  return (await readRows(model, rows, { microBatchTokens, ...controls })).logprobs;
}

/** What a model says of the responses of rows or groups: a `[responses]` float32 array for each. */
export interface Readings {
  /** Sum log-probabilities. */
  readonly logprobs: RowLogprobs[];
  /** Sum entropies in nats; present where they were asked for and the model gives them. */
  readonly entropies?: Float32Array[] | undefined;
}

/** What every response of every row is read with, without gradient. */
export interface ReadingOptions extends Pick<PassOptions, 'entropies'>, ReadingControls {
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
}

/** Log-probabilities, and entropies where wanted, of every response of every row, without gradient. */
export function readRows(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  options: ReadingOptions,
): Promise<Readings> {
  return readGroups(model, rows.map(groupOf), options);
}

/** The same of every response of every group. */
export async function readGroups(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  { microBatchTokens, progress, signal, ...pass }: ReadingOptions,
): Promise<Readings> {
  const logprobs: RowLogprobs[] = [];
  const entropies: Float32Array[] = [];
  for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
    await yieldToEvents(signal);
    const part = groups.slice(start, end);
    const { sumLogprobs, sumEntropies } = await model.evaluate(part, pass);
    logprobs.push(...splitByGroup(sumLogprobs, part));
    if (sumEntropies !== undefined) entropies.push(...splitByGroup(sumEntropies, part));
    progress?.(logprobs.length);
  }
  return { logprobs, entropies: entropies.length === 0 ? undefined : entropies };
}
