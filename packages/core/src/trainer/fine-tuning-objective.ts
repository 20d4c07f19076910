import type { Metrics, PromptGroup, TokenizedDemonstration, TrainableModel } from '../contracts/index.js';
import { backwardByMicroBatch } from './micro-batches.js';
import { checkLosses } from './pair-losses.js';
import { groupOfTurn, readGroups } from './response-logprobs.js';
import type { EvaluationControls, TrainingObjective } from './training-objective.js';

/** What demonstrations are trained with. */
export interface FineTuningObjectiveOptions {
  readonly model: TrainableModel;
  readonly rows: readonly TokenizedDemonstration[];
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
}

/**
 * Supervised fine-tuning: L = -(1 / T) sum_t log p(token t | everything before it), over all T response tokens of the
 * batch, so that every token counts the same in whatever row and micro-batch it is. In nats a token.
 * @param heldOut rows to evaluate; absent, there is no evaluation
 */
export function fineTuningObjective(
  { model, rows, microBatchTokens }: FineTuningObjectiveOptions,
  heldOut?: readonly TokenizedDemonstration[] | undefined,
): TrainingObjective {
  return {
    async accumulate(indices, _state, where) {
      const turns = turnsOf(Array.from(indices, (index) => rows[index]!));
      const responseTokens = responseTokensOf(turns);
      let sumLogprobs = 0;
      const groups = turns.map(({ group }) => group);
      await backwardByMicroBatch(model, groups, { microBatchTokens }, async (ticket, { start, end }) => {
        checkLosses(ticket.sumLogprobs, rowsOf(turns.slice(start, end)), where);
        for (const value of ticket.sumLogprobs) sumLogprobs += value;
        return { perResponse: new Float32Array(end - start).fill(-1 / responseTokens) };
      });
      return {
        metrics: { loss: -sumLogprobs / responseTokens },
        rows: Array.from(indices, (index) => rows[index]!.row),
        tokens: turns.reduce((sum, { group }) => sum + group.prompt.length, responseTokens),
      };
    },
    evaluate: heldOut && ((_state, controls) => evaluateDemonstrations(model, heldOut, microBatchTokens, controls)),
  };
}

/**
 * Loss of held-out rows in nats a token, `eval_loss`, and its exponential, `eval_perplexity`, where that is finite.
 * @throws MetaapoError with code `numerics` when a loss is not finite
 */
export async function evaluateDemonstrations(
  model: TrainableModel,
  rows: readonly TokenizedDemonstration[],
  microBatchTokens: number,
  { progress, signal }: EvaluationControls = {},
): Promise<Metrics> {
  const turns = turnsOf(rows);
  const groups = turns.map(({ group }) => group);
  const { logprobs } = await readGroups(model, groups, {
    microBatchTokens,
    progress: progress && ((done) => progress(done, turns.length)),
    signal,
  });
  const sums = Float32Array.from(logprobs, ([sum]) => sum!);
  checkLosses(sums, rowsOf(turns), 'the evaluation');
  const loss = -sums.reduce((sum, value) => sum + value, 0) / responseTokensOf(turns);
  const perplexity = Math.exp(loss);
  return { eval_loss: loss, ...(Number.isFinite(perplexity) && { eval_perplexity: perplexity }) };
}

/** A response with its prompt, and the row that it belongs to. */
interface Turn {
  readonly row: number;
  readonly group: PromptGroup;
}

function turnsOf(rows: readonly TokenizedDemonstration[]): readonly Turn[] {
  return rows.flatMap(({ row, turns }) => turns.map((turn) => ({ row, group: groupOfTurn(turn) })));
}

const rowsOf = (turns: readonly Turn[]): readonly number[] => turns.map(({ row }) => row);

function responseTokensOf(turns: readonly Turn[]): number {
  return turns.reduce((sum, { group }) => sum + group.responses[0]!.length, 0);
}
