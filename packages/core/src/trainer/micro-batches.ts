import {
  type ForwardTicket,
  type LogprobGradient,
  type PassOptions,
  type PromptGroup,
  type TrainableModel,
  yieldToEvents,
} from '../contracts/index.js';
import { packByTokens } from '../numerics/index.js';
import { tokensOf } from './response-logprobs.js';

/** A part of a batch that is computed at once: groups `[start, end)`. */
export interface MicroBatch {
  readonly groups: readonly PromptGroup[];
  readonly start: number;
  readonly end: number;
}

/** How a batch is computed. */
export interface MicroBatchOptions extends PassOptions {
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
}

/**
 * Forward and backward of groups, micro-batch by micro-batch, in order. The gradients add up in the model.
 * @param gradientOf gives the gradient of the loss with respect to the micro-batch's log-probabilities
 */
export async function backwardByMicroBatch(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  { microBatchTokens, ...pass }: MicroBatchOptions,
  gradientOf: (ticket: ForwardTicket, part: MicroBatch) => Promise<LogprobGradient>,
): Promise<void> {
  for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
    await yieldToEvents();
    const part = { groups: groups.slice(start, end), start, end };
    const ticket = await model.forward(part.groups, pass);
    const gradient = await gradientOf(ticket, part).catch(async (error: unknown) => {
      await model.discard(ticket);
      throw error;
    });
    await model.backward(ticket, gradient);
  }
}
