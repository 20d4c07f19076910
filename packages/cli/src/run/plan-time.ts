import type { RunRecipe } from '@metaapo/core';
import type { MemoryEstimate, ModelSource } from '@metaapo/core/contracts';
import { durationText } from '../terminal/progress.js';

/** What a run computes, in tokens. */
export interface PlannedTokens {
  /** Of the offline pairs of all iterations. */
  readonly offline: number;
  /** New, in the responses that are expected, and those of their prompts. */
  readonly sampled: number;
  readonly sampledPrompts: number;
  /** Of the online pairs that are expected, prompts included. */
  readonly online: number;
}

/** Operations a parameter and token: a forward pass, one with its backward pass, and a step of generation. */
const FORWARD = 2;
const TRAINING = 6;
/** A step of generation reaches a part of the speed of large products. */
const GENERATION = 4 * FORWARD;

/** What a run would compute, and with what. */
export interface PlannedWork {
  readonly estimate: MemoryEstimate | undefined;
  /** Forward passes of scoring: of the policy, and of a reference. */
  readonly passes: number;
  readonly tokens: PlannedTokens;
}

/**
 * A rough estimate of the time of a run, by stage, from the speed of matrix products as they are measured now.
 * @returns a sentence; it says so where nothing could be measured
 */
export async function estimateTime(
  source: ModelSource,
  recipe: Pick<RunRecipe, 'training' | 'sampler'>,
  { estimate, passes, tokens }: PlannedWork,
): Promise<string> {
  const isLocal = recipe.sampler.id === 'local';
  return timeOf(source, estimate, isLocal ? 'rewards' : 'servers and rewards', {
    score: FORWARD * (passes * tokens.offline + (passes - 1) * tokens.online),
    ...(isLocal && { sample: GENERATION * tokens.sampled + FORWARD * tokens.sampledPrompts }),
    train: recipe.training.epochs * TRAINING * (tokens.offline + tokens.online),
  });
}

/** What one training would compute. */
export interface PlannedTraining {
  readonly estimate: MemoryEstimate | undefined;
  /** Of all rows that are trained. */
  readonly tokens: number;
  readonly isReferred: boolean;
}

/** The same of one training on a data set; evaluations are not in it. */
export function trainingTime(
  source: ModelSource,
  { training }: Pick<RunRecipe, 'training'>,
  { estimate, tokens, isReferred }: PlannedTraining,
): Promise<string> {
  return timeOf(source, estimate, 'evaluations', {
    ...(isReferred && { reference: FORWARD * tokens }),
    train: training.epochs * TRAINING * tokens,
  });
}

/** @param operations a parameter, by stage */
async function timeOf(
  source: ModelSource,
  estimate: MemoryEstimate | undefined,
  left: string,
  operations: Readonly<Record<string, number>>,
): Promise<string> {
  const speed = await source.measureSpeed?.();
  if (speed === undefined || estimate === undefined) return 'Time: not estimated, as no product could be measured';
  const stages = Object.entries(operations).map(
    ([stage, count]) => [stage, (count * estimate.parameters.all) / speed.flops] as const,
  );
  const list = stages.map(([stage, time]) => `${stage} ${durationText(time)}`);
  const all = stages.reduce((sum, [, time]) => sum + time, 0);
  return (
    `Time, a rough estimate from products at ${(speed.flops / 1e9).toFixed(0)} GFLOP/s on ${speed.computedBy}: ` +
    `${durationText(all)} (${list.join(', ')}); start-up and ${left} are not in it`
  );
}
