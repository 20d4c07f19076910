import { groupOf } from '@metaapo/core';
import type { PromptGroup, Tokenizer, TrainableModel } from '@metaapo/core/contracts';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { writePreferences } from '../../examples/quickstart/write-preferences.js';

const BETA = 0.1;

/** AdamW of these trainings; it clips nothing, as the server cannot. */
export const ADAMW = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

/** Pairs of the sorting task as groups of a prompt with its chosen and its rejected response. */
export async function pairGroups(file: string, tokenizer: Tokenizer, count = 8): Promise<readonly PromptGroup[]> {
  await writePreferences(file, count, 1);
  const limits = { maxLength: 128, truncate: 'response-tail', longPrompt: 'error' } as const;
  const { rows } = await tokenizePreferences(readPreferences([file]), tokenizer, limits);
  return rows.map(groupOf);
}

/** What a step found before it moved the model. */
export interface DpoStep {
  readonly loss: number;
  /** NaN where the server does not tell it. */
  readonly gradientNorm: number;
}

/**
 * One step of DPO over all groups: L = mean over pairs of -log sigmoid(beta * m), m the log-ratio margin (arXiv 2305.18290,
 * equation 7), and dL/dm = -beta * sigmoid(-beta * m) / pairs.
 * @param reference `[2 * pairs]` log-probabilities of the responses under the reference
 * @param step 1-based
 */
export async function dpoStep(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  reference: Float32Array,
  step: number,
): Promise<DpoStep> {
  const ticket = await model.forward(groups);
  const ratio = (response: number): number => ticket.sumLogprobs[response]! - reference[response]!;
  const margins = groups.map((_, pair) => ratio(2 * pair) - ratio(2 * pair + 1));
  const loss = margins.reduce((sum, margin) => sum + Math.log1p(Math.exp(-BETA * margin)), 0) / groups.length;
  const slopes = margins.map((margin) => -BETA / (1 + Math.exp(BETA * margin)) / groups.length);
  await model.backward(ticket, { perResponse: Float32Array.from(slopes.flatMap((slope) => [slope, -slope])) });
  const { gradientNorm } = await model.apply({ ...ADAMW, learningRate: 1e-3, step });
  return { loss, gradientNorm: gradientNorm ?? Number.NaN };
}

/** Log-probabilities of whole responses, without a trace in the model. */
export async function sumLogprobs(model: TrainableModel, groups: readonly PromptGroup[]): Promise<Float32Array> {
  return (await model.evaluate(groups)).sumLogprobs;
}

/** The largest difference between two lists of numbers. */
export function largestDifference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  if (one.length !== other.length) throw new Error(`${one.length} numbers beside ${other.length}`);
  return Math.max(...Array.from(one, (value, index) => Math.abs(value - other[index]!)));
}
