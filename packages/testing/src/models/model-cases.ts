import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  LogprobGradient,
  ModelSource,
  OptimizerStep,
  PromptGroup,
  TextModel,
  TrainableModel,
  TrainingUse,
} from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDisagreement } from '../same-values.js';
import type { ModelFlags } from './model-flags.js';

const GROUPS: readonly PromptGroup[] = [
  { prompt: Int32Array.of(1, 2, 3), responses: [Int32Array.of(2, 3, 1), Int32Array.of(3, 3)] },
  { prompt: Int32Array.of(3), responses: [Int32Array.of(1, 2)] },
  { prompt: Int32Array.of(2, 1), responses: [Int32Array.of(1, 1, 2, 3), Int32Array.of(3, 2), Int32Array.of(2, 1, 3)] },
];

/** Groups of a check, new ones each time. */
export function groupsOf({ groups }: ModelFlags): PromptGroup[] {
  return structuredClone([...(groups ?? GROUPS)]);
}

/** The part's name, for messages. */
export const modelName = ({ id }: ModelSource): string => `model ${id}`;

/** So large that AdamW's first update is the gradient times learning rate / epsilon. */
const EPSILON = 1e6;
/** By how much an update is to change a loss: little enough that log-probabilities move in a line. */
const EFFECT = 0.05;

const LONGEST_ROW = 64;

/** What the kit opens models for. */
export const USE: TrainingUse = {
  optimizer: { beta1: 0.9, beta2: 0.99, epsilon: EPSILON, weightDecay: 0 },
  seed: 7,
  longestRow: LONGEST_ROW,
  cachedTokens: 256,
};

/** An update that changes no parameter: its gradient's norm is all that is wanted. */
export const IDLE_STEP: OptimizerStep = { ...USE.optimizer, learningRate: 0, step: 1 };

/** The update by a gradient of this norm whose effect is known: parameters move by -c times the gradient. */
export function linearStep(norm: number): OptimizerStep {
  return { ...IDLE_STEP, learningRate: (EFFECT * EPSILON) / norm ** 2 };
}

/** An update as in a training. */
export function trainingStep(step: number): OptimizerStep {
  return { ...IDLE_STEP, learningRate: EPSILON / 1000, step };
}

/** Opens the policy, lends it and disposes it. */
export async function withPolicy<Result>(
  source: ModelSource,
  use: (policy: TextModel) => Promise<Result>,
): Promise<Result> {
  const policy = await source.openPolicy(USE);
  try {
    return await use(policy);
  } finally {
    policy.model.dispose();
  }
}

/** Lends a directory that is gone afterwards. */
export async function withDirectory<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'model-conformance-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Number of responses. */
export const responsesOf = (groups: readonly PromptGroup[]): number =>
  groups.reduce((sum, { responses }) => sum + responses.length, 0);

/** A gradient with signs and sizes that no two responses share. */
export function coefficients(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, at) => (at % 2 === 0 ? 1 : -1) * (0.3 + 0.2 * (at % 5)));
}

/** Forward and backward of groups with these gradients. */
export async function accumulate(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  gradient: LogprobGradient,
): Promise<void> {
  const ticket = await model.forward(groups, 'perToken' in gradient ? { tokenLogprobs: true } : {});
  await model.backward(ticket, gradient);
}

/** Sum log-probabilities of groups without gradient. */
export async function sumsOf(model: TrainableModel, groups: readonly PromptGroup[]): Promise<Float32Array> {
  return (await model.evaluate(groups)).sumLogprobs;
}

/** What two readings of the same thing may differ by. */
export const toleranceOf = ({ tolerance }: ModelFlags): number => tolerance ?? 1e-4;

/** @throws ConformanceError when values differ by more than the tolerance */
export function requireSame(
  name: string,
  what: string,
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
): void {
  const at = firstDisagreement(got, wanted, tolerance);
  if (at === undefined) return;
  throw new ConformanceError(name, `${what}: ${got[at] ?? 'nothing'} at ${at}, expected ${wanted[at] ?? 'nothing'}`);
}
