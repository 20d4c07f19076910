import type { LogprobGradient, ModelSource, OptimizerStep, PromptGroup, TrainableModel } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import {
  accumulate,
  coefficients,
  groupsOf,
  IDLE_STEP,
  linearStep,
  modelName,
  requireSame,
  sumsOf,
  toleranceOf,
  trainingStep,
  withPolicy,
} from './model-cases.js';
import type { ModelFlags } from './model-flags.js';
import { gradientOf } from './model-passes.js';

/** Share by which an effect may miss its linear estimate. */
const LINEARITY = 0.05;

/**
 * Passes when an update changes a linear loss by what the gradient's norm says: with AdamW's epsilon far above the gradient g,
 * parameters move by -c g, and the loss by -c |g|^2. It holds for gradients of responses and of tokens.
 * @throws ConformanceError with both changes
 */
export async function checkModelGradients(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const groups = groupsOf(flags);
  const perResponse = gradientOf(groups);
  await checkEffect(source, groups, { perResponse });
  if (flags.givesTokenLogprobs === false) return;
  const lengths = groups.flatMap(({ responses }) => responses.map(({ length }) => length));
  const perToken = coefficients(lengths.reduce((sum, length) => sum + length, 0));
  await checkEffect(source, groups, { perToken });
  const repeated = Float32Array.from(lengths.flatMap((length, at) => Array<number>(length).fill(perResponse[at]!)));
  const norms = [await normOf(source, groups, { perResponse }), await normOf(source, groups, { perToken: repeated })];
  requireSame(
    modelName(source),
    'gradients of tokens and of responses differ',
    norms.slice(1),
    norms.slice(0, 1),
    1e-3,
  );
}

async function checkEffect(
  source: ModelSource,
  groups: readonly PromptGroup[],
  gradient: LogprobGradient,
): Promise<void> {
  const step = linearStep(await normOf(source, groups, gradient));
  await withPolicy(source, async ({ model }) => {
    const before = await lossOf(model, groups, gradient);
    await accumulate(model, groups, gradient);
    const gradientNorm = await normAt(model, step);
    const expected = (-step.learningRate / step.epsilon) * gradientNorm ** 2;
    requireEffect(modelName(source), (await lossOf(model, groups, gradient)) - before, expected);
  });
}

/** The norm that an update tells; NaN, which no check takes, where it tells none. */
async function normAt(model: TrainableModel, step: OptimizerStep): Promise<number> {
  return (await model.apply(step)).gradientNorm ?? Number.NaN;
}

function requireEffect(name: string, got: number, expected: number): void {
  if (expected < 0 && Math.abs(got - expected) <= LINEARITY * Math.abs(expected)) return;
  throw new ConformanceError(name, `an update changes the loss by ${got}, and its gradient's norm says ${expected}`);
}

/** Sum of coefficient times log-probability, in float64. */
async function lossOf(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  gradient: LogprobGradient,
): Promise<number> {
  const isOfTokens = 'perToken' in gradient;
  const { sumLogprobs, tokenLogprobs } = await model.evaluate(groups, { tokenLogprobs: isOfTokens });
  const factors = isOfTokens ? gradient.perToken : gradient.perResponse;
  return (isOfTokens ? tokenLogprobs! : sumLogprobs).reduce((sum, value, at) => sum + value * factors[at]!, 0);
}

function normOf(source: ModelSource, groups: readonly PromptGroup[], gradient: LogprobGradient): Promise<number> {
  return withPolicy(source, async ({ model }) => {
    await accumulate(model, groups, gradient);
    return normAt(model, IDLE_STEP);
  });
}

/**
 * Passes when gradients of several passes add up, in whatever parts groups come, and are gone after an update, after
 * `zeroGradients`, and where a pass is discarded.
 * @throws ConformanceError that names what is kept or lost
 */
export async function checkModelAccumulation(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  const groups = groupsOf(flags);
  const whole = await normOf(source, groups, { perResponse: gradientOf(groups) });
  await withPolicy(source, async ({ model }) => {
    let at = 0;
    for (const group of groups) {
      const own = gradientOf(groups).slice(at, at + group.responses.length);
      at += group.responses.length;
      await accumulate(model, [group], { perResponse: own });
    }
    const gradientNorm = await normAt(model, IDLE_STEP);
    requireSame(name, 'gradients of parts do not add up', [gradientNorm], [whole], 1e-3);
    const norm = (): Promise<number> => normAt(model, IDLE_STEP);
    requireNone(name, 'after an update', await norm());
    await accumulate(model, groups, { perResponse: gradientOf(groups) });
    await model.zeroGradients();
    requireNone(name, 'after zeroGradients', await norm());
    await model.discard(await model.forward(groups));
    requireNone(name, 'of a discarded pass', await norm());
  });
}

function requireNone(name: string, when: string, norm: number): void {
  if (norm !== 0) throw new ConformanceError(name, `there is a gradient ${when}: its norm is ${norm}`);
}

/**
 * Passes when a gradient longer than `maxGradNorm` acts as if it had that length, and its own length is told.
 * @throws ConformanceError with both changes
 */
export async function checkModelClipping(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  const groups = groupsOf(flags);
  const gradient = { perResponse: gradientOf(groups) };
  const norm = await normOf(source, groups, gradient);
  await withPolicy(source, async ({ model }) => {
    const before = await lossOf(model, groups, gradient);
    await accumulate(model, groups, gradient);
    const maxGradNorm = norm / 2;
    const step = { ...linearStep(norm), maxGradNorm };
    const gradientNorm = await normAt(model, step);
    requireSame(name, 'the norm is told after clipping', [gradientNorm], [norm], 1e-3);
    const expected = (-step.learningRate / step.epsilon) * norm * maxGradNorm;
    requireEffect(name, (await lossOf(model, groups, gradient)) - before, expected);
  });
}

/**
 * Passes when a gradient that is not finite is told and changes nothing, and the next update is as if it had not been.
 * @throws ConformanceError that names what changed
 */
export async function checkModelNonFinite(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  const groups = groupsOf(flags);
  await withPolicy(source, async ({ model }) => {
    const before = await sumsOf(model, groups);
    const perResponse = gradientOf(groups).fill(Number.NaN, 0, 1);
    await accumulate(model, groups, { perResponse });
    const gradientNorm = await normAt(model, trainingStep(1));
    if (Number.isFinite(gradientNorm))
      throw new ConformanceError(name, `a gradient with NaN has the norm ${gradientNorm}`);
    requireSame(name, 'a gradient with NaN changes the model', await sumsOf(model, groups), before, toleranceOf(flags));
    requireNone(name, 'after one with NaN', await normAt(model, IDLE_STEP));
  });
}
