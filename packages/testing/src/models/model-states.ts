import { join } from 'node:path';
import type { ModelSource, TrainableModel } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import {
  accumulate,
  groupsOf,
  modelName,
  requireSame,
  sumsOf,
  toleranceOf,
  trainingStep,
  USE,
  withDirectory,
  withPolicy,
} from './model-cases.js';
import type { ModelFlags } from './model-flags.js';
import { gradientOf } from './model-passes.js';

/**
 * Passes when a state that was saved and loaded goes on exactly as the model that was never saved: parameters and moments.
 * @throws ConformanceError that names the response
 */
export async function checkModelState(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const groups = groupsOf(flags);
  const name = modelName(source);
  await withDirectory(async (directory) => {
    const state = join(directory, 'state');
    const [saved, straight] = await withPolicy(source, async ({ model }) => {
      await train(model, flags, 1, 2);
      await model.saveState(state);
      const sums = await sumsOf(model, groups);
      await train(model, flags, 3, 2);
      return [sums, await sumsOf(model, groups)] as const;
    });
    requireMoved(name, saved, straight);
    await withPolicy(source, async ({ model }) => {
      await model.loadState(state);
      requireSame(name, 'a loaded state has other parameters', await sumsOf(model, groups), saved, 0);
      await train(model, flags, 3, 2);
      requireSame(name, 'a loaded state goes on otherwise', await sumsOf(model, groups), straight, 0);
    });
  });
}

async function train(model: TrainableModel, flags: ModelFlags, from: number, steps: number): Promise<void> {
  const groups = groupsOf(flags);
  for (let step = from; step < from + steps; step++) {
    await accumulate(model, groups, { perResponse: gradientOf(groups).map((value) => value * step) });
    await model.apply(trainingStep(step));
  }
}

function requireMoved(name: string, before: Float32Array, after: Float32Array): void {
  if (after.some((value, at) => value !== before[at])) return;
  throw new ConformanceError(name, 'training does not change what it says');
}

/**
 * Passes when a model that can set its moments to zero does: nothing moves it then but a new gradient.
 * @throws ConformanceError that names the response
 */
export async function checkModelMoments(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const groups = groupsOf(flags);
  const name = modelName(source);
  await withPolicy(source, async ({ model }) => {
    if (model.resetMoments === undefined) return;
    await train(model, flags, 1, 2);
    const before = await sumsOf(model, groups);
    await model.resetMoments();
    await model.apply({ ...trainingStep(1), weightDecay: 0 });
    requireSame(name, 'moments that were set to zero move it', await sumsOf(model, groups), before, 0);
  });
}

/**
 * Passes when a trained model that was saved opens as a reference that says the same.
 * @throws ConformanceError that names the response
 */
export async function checkModelSaved(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const groups = groupsOf(flags);
  const name = modelName(source);
  await withDirectory(async (directory) => {
    const saved = join(directory, 'model');
    const [before, trained] = await withPolicy(source, async ({ model }) => {
      const start = await sumsOf(model, groups);
      await train(model, flags, 1, 2);
      await model.save(saved);
      return [start, await sumsOf(model, groups)] as const;
    });
    requireMoved(name, before, trained);
    const reference = await source.openReference(saved, { longestRow: USE.longestRow });
    const opened = await sumsOf(reference.model, groups).finally(() => reference.model.dispose());
    requireSame(name, 'a saved model opens as another', opened, trained, toleranceOf(flags));
  });
}
