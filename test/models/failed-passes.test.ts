import { join } from 'node:path';
import { uniformOf } from '@metaapo/core/numerics';
import type { Executor } from '@metaapo/engine';
import {
  type Computation,
  type LanguageModel,
  type LanguageModelOptions,
  loadLanguageModel,
  loadScorer,
  type Scorer,
} from '@metaapo/models';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it, vi } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { gradientNormOf } from '../support/gradient-norm.js';
import { root } from '../support/metaapo.js';

const models = join(root, 'fixtures', 'models');
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const ids = (key: number, length: number): Int32Array =>
  Int32Array.from({ length }, (_, at) => 3 + Math.floor(93 * uniformOf(['failed passes', key, at])));
const groups = [{ prompt: ids(0, 5), responses: [ids(1, 6), ids(2, 4)] }];
/** Four predicted tokens a chunk, so that a backward of the head has three parts. */
const options: LanguageModelOptions = { optimizer, logitsBytes: 4 * 4 * 96 };

/** A model is its computation, whose session a test can break. */
const sessionOf = (model: LanguageModel | Scorer): Computation['session'] => (model as unknown as Computation).session;

/** Makes the run number `which` of a program fail. */
function breakRun(model: LanguageModel | Scorer, broken: string, which: number): { mend(): void } {
  const session = sessionOf(model);
  const run = session.run.bind(session);
  let runs = 0;
  const spy = vi.spyOn(session, 'run').mockImplementation(async (program, inputs) => {
    if (program === broken && ++runs === which) throw new Error(`broken ${broken}`);
    return run(program, inputs);
  });
  return { mend: () => spy.mockRestore() };
}

async function pass(model: LanguageModel | Scorer): Promise<number> {
  if ('score' in model) {
    await model.backward(await model.forward(groups), Float32Array.of(1, -1));
    return gradientNormOf(model, optimizer);
  }
  const ticket = await model.forward(groups);
  await model.backward(ticket, { perResponse: Float32Array.of(1, -1) });
  return gradientNormOf(model, optimizer);
}

/** What the test backend can run. */
async function executors(): Promise<readonly Executor[]> {
  if ((await prepareBackend('tensorflow')) === undefined) return ['compiled', 'eager'];
  await prepareBackend('wasm');
  return ['eager'];
}

/** Runs that fail, of a language model and of a reward model. */
const FAILURES = {
  qwen2: [
    ['forward', 1],
    ['head', 2],
    ['headBackward', 2],
    ['backward', 1],
  ],
  'qwen2-reward': [
    ['score', 1],
    ['scoreBackward', 1],
    ['backward', 1],
  ],
} as const;

describe('a pass that fails', () => {
  it('leaves no tensor, no kept activation, and a model that computes what it did before', async () => {
    for (const executor of await executors()) {
      for (const [name, failures] of Object.entries(FAILURES)) {
        const load = name === 'qwen2' ? loadLanguageModel : loadScorer;
        const model = await load(join(models, name), { ...options, executor });
        const norm = await pass(model);
        const before = tf.memory().numTensors;
        for (const [program, which] of failures) {
          const { mend } = breakRun(model, program, which);
          await expect(pass(model), `${program} on ${executor}`).rejects.toThrow(`broken ${program}`);
          mend();
          // What was added to the gradients before the failure.
          await model.zeroGradients();
          expect(tf.memory().numTensors, `${program} on ${executor}`).toBe(before);
          await expect(sessionOf(model).read('body/kept/0')).rejects.toThrow('before it was written');
          expect(await pass(model)).toBe(norm);
        }
        model.dispose();
      }
    }
  });

  it('may fail in the runtime too: a predicted token outside of the vocabulary', async (context) => {
    const missing = await prepareBackend('tensorflow');
    if (missing !== undefined) return context.skip(missing);
    for (const executor of ['compiled', 'eager'] as const) {
      const model = await loadLanguageModel(join(models, 'qwen2'), { ...options, executor });
      const norm = await pass(model);
      const outside = [{ prompt: ids(0, 5), responses: [Int32Array.of(5, 1_000_000)] }];
      await expect(model.forward(outside)).rejects.toThrow();
      expect(await pass(model)).toBe(norm);
      model.dispose();
    }
  });

  it('that is discarded leaves as little', async () => {
    for (const executor of await executors()) {
      const model = await loadLanguageModel(join(models, 'qwen2'), { ...options, executor });
      const norm = await pass(model);
      const before = tf.memory().numTensors;
      await model.discard(await model.forward(groups));
      expect(tf.memory().numTensors).toBe(before);
      await expect(sessionOf(model).read('body/kept/0')).rejects.toThrow('before it was written');
      expect(await pass(model)).toBe(norm);
      model.dispose();
    }
  });
});
