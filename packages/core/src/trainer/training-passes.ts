import {
  type ForwardTicket,
  type GroupGradients,
  type GroupReading,
  type LogprobGradient,
  MetaapoError,
  type PassOptions,
  type PromptGroup,
  type ResponseLogprobs,
  type ScoreTicket,
  type TrainableModel,
  type TrainableScorer,
  type TrainingPasses,
  tokensOf,
  yieldToEvents,
} from '../contracts/index.js';
import { concatenated, packByTokens } from '../numerics/index.js';

/** Splits the values of R responses, group after group, into one array a group. */
export function splitByGroup(values: Float32Array, groups: readonly PromptGroup[]): Float32Array[] {
  return splitBy(
    values,
    groups.map(({ responses }) => responses.length),
  );
}

/** Splits values into arrays of these lengths. */
export function splitBy(values: Float32Array, lengths: readonly number[]): Float32Array[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return values.slice(at - length, at);
  });
}

/** What a kind of model offers for passes: its own words for values and gradients. */
interface PassModel<Ticket> {
  evaluate(groups: readonly PromptGroup[], pass: PassOptions): Promise<readonly GroupReading[]>;
  forward(
    groups: readonly PromptGroup[],
    pass: PassOptions,
  ): Promise<{ readonly ticket: Ticket; readonly readings: readonly GroupReading[] }>;
  backward(ticket: Ticket, gradients: GroupGradients): Promise<void>;
  discard(ticket: Ticket): Promise<void>;
}

/**
 * Passes over a language model, micro-batch by micro-batch.
 * @param microBatchTokens tokens of a micro-batch; decides memory, never results
 */
export function policyPasses(model: TrainableModel, microBatchTokens: number): TrainingPasses {
  return passesOver<ForwardTicket>(
    {
      evaluate: async (groups, pass) => readingsOf(await model.evaluate(groups, pass), groups),
      async forward(groups, pass) {
        const ticket = await model.forward(groups, pass);
        return { ticket, readings: readingsOf(ticket, groups) };
      },
      backward: (ticket, gradients) => model.backward(ticket, gradientOf(gradients)),
      discard: (ticket) => model.discard(ticket),
    },
    microBatchTokens,
  );
}

function gradientOf(gradients: GroupGradients): LogprobGradient {
  return 'perResponse' in gradients
    ? { perResponse: concatenated(gradients.perResponse) }
    : { perToken: concatenated(gradients.perToken.flat()) };
}

function readingsOf(logprobs: ResponseLogprobs, groups: readonly PromptGroup[]): readonly GroupReading[] {
  const { sumLogprobs, sumEntropies, tokenLogprobs } = logprobs;
  const entropies = sumEntropies && splitByGroup(sumEntropies, groups);
  const tokens = tokenLogprobs && splitByToken(tokenLogprobs, groups);
  return splitByGroup(sumLogprobs, groups).map((values, index) => ({
    values,
    ...(entropies && { sumEntropies: entropies[index]! }),
    ...(tokens && { tokenLogprobs: tokens[index]! }),
  }));
}

/** Splits the values of tokens, response after response, into an array a response of each group. */
function splitByToken(values: Float32Array, groups: readonly PromptGroup[]): readonly (readonly Float32Array[])[] {
  const responses = groups.flatMap((group) => group.responses);
  const arrays = splitBy(
    values,
    responses.map(({ length }) => length),
  );
  let at = 0;
  return groups.map((group) => {
    at += group.responses.length;
    return arrays.slice(at - group.responses.length, at);
  });
}

/** Passes over a reward model; their gradients are those of whole responses. */
export function scorerPasses(model: TrainableScorer, microBatchTokens: number): TrainingPasses {
  const readingsOf = (rewards: Float32Array, groups: readonly PromptGroup[]) =>
    splitByGroup(rewards, groups).map((values) => ({ values }));
  return passesOver<ScoreTicket>(
    {
      evaluate: async (groups) => readingsOf(await model.score(groups), groups),
      async forward(groups) {
        const ticket = await model.forward(groups);
        return { ticket, readings: readingsOf(ticket.rewards, groups) };
      },
      backward: (ticket, gradients) => model.backward(ticket, rewardGradient(gradients)),
      discard: (ticket) => model.discard(ticket),
    },
    microBatchTokens,
  );
}

function rewardGradient(gradients: GroupGradients): Float32Array {
  if ('perResponse' in gradients) return concatenated(gradients.perResponse);
  throw new MetaapoError('internal', 'a reward has no tokens', {
    where: 'the gradient of a reward model',
    expected: 'perResponse',
    got: 'perToken',
  });
}

function passesOver<Ticket>(model: PassModel<Ticket>, microBatchTokens: number): TrainingPasses {
  const rangesOf = (groups: readonly PromptGroup[]) => packByTokens(groups.map(tokensOf), microBatchTokens);
  const read: TrainingPasses['read'] = async (groups, { progress, signal, ...pass } = {}) => {
    const readings: GroupReading[] = [];
    for (const [start, end] of rangesOf(groups)) {
      await yieldToEvents(signal);
      readings.push(...(await model.evaluate(groups.slice(start, end), pass)));
      progress?.(readings.length, groups.length);
    }
    return readings;
  };
  return {
    read,
    async forwardBackward(groups, gradientOf, { couplesGroups = false, ...pass } = {}) {
      const ranges = rangesOf(groups);
      const isCut = couplesGroups && ranges.length > 1;
      const whole = isCut ? await gradientOf(await read(groups, pass), { start: 0, end: groups.length }) : undefined;
      for (const [start, end] of ranges) {
        await yieldToEvents();
        const { ticket, readings } = await model.forward(groups.slice(start, end), whole === undefined ? pass : {});
        const gradients = await orDiscard(
          async () => (whole === undefined ? gradientOf(readings, { start, end }) : sliceOf(whole, start, end)),
          () => model.discard(ticket),
        );
        await model.backward(ticket, gradients);
      }
    },
  };
}

async function orDiscard<Result>(compute: () => Promise<Result>, discard: () => Promise<void>): Promise<Result> {
  try {
    return await compute();
  } catch (error) {
    await discard();
    throw error;
  }
}

function sliceOf(gradients: GroupGradients, start: number, end: number): GroupGradients {
  return 'perResponse' in gradients
    ? { perResponse: gradients.perResponse.slice(start, end) }
    : { perToken: gradients.perToken.slice(start, end) };
}
