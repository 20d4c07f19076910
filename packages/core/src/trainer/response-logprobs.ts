import type {
  PassOptions,
  PromptGroup,
  TokenizedPreference,
  TokenizedTurn,
  TrainableModel,
} from '../contracts/index.js';
import { policyPasses } from './training-passes.js';

/** `[responses]` float32 of a row: chosen, rejected, then the same of each online pair. */
export type RowLogprobs = Float32Array;

/** The prompt of a row with all of its responses: chosen, rejected, then the same of each online pair. */
export function groupOf({ prompt, chosen, rejected, online = [] }: TokenizedPreference): PromptGroup {
  return { prompt, responses: [chosen, rejected, ...online.flatMap((pair) => [pair.chosen, pair.rejected])] };
}

/** The prompt of a turn with its one response. */
export function groupOfTurn({ prompt, response }: TokenizedTurn): PromptGroup {
  return { prompt, responses: [response] };
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
export async function readRows(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  { microBatchTokens, progress, ...wishes }: ReadingOptions,
): Promise<Readings> {
  const readings = await policyPasses(model, microBatchTokens).read(rows.map(groupOf), { ...wishes, progress });
  return {
    logprobs: readings.map(({ values }) => values),
    entropies: readings[0]?.sumEntropies && readings.map(({ sumEntropies }) => sumEntropies!),
  };
}
