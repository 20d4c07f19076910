import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  composeRun,
  createTrainer,
  initialTrainerState,
  loadTrainerCheckpoint,
  type MetaWeighing,
  memoryOf,
  planBatches,
  preference,
  type RowLogprobs,
  referenceLogprobs,
  type StepReport,
  saveTrainerCheckpoint,
  type TrainerState,
} from '@metaapo/core';
import type { PreferenceLoss, TokenizedPreference } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import type { Executor } from '@metaapo/engine';
import losses, { aot, bco, dpo } from '@metaapo/losses';
import { constant } from '@metaapo/meta-learners';
import { type LanguageModel, loadLanguageModel } from '@metaapo/models';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { gradientNormOf } from './support/gradient-norm.js';
import { root } from './support/metaapo.js';

const start = join(root, 'fixtures', 'models', 'qwen2');
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
let missing: string | undefined;
beforeAll(async () => {
  missing = await prepareBackend('tensorflow');
  if (missing !== undefined) await prepareBackend('wasm');
});

const executors = (): readonly Executor[] => (missing === undefined ? ['compiled', 'eager'] : ['eager']);

function makeRows(count: number): TokenizedPreference[] {
  const ids = (key: number, length: number): Int32Array =>
    Int32Array.from({ length }, (_, index) => 3 + Math.floor(93 * uniformOf(['trainer test', key, index])));
  return Array.from({ length: count }, (_, row) => ({
    row,
    prompt: ids(10 * row, 4 + (row % 5)),
    chosen: ids(10 * row + 1, 3 + (row % 7)),
    rejected: ids(10 * row + 2, 2 + (row % 4)),
  }));
}

interface Training {
  readonly loss?: PreferenceLoss;
  readonly microBatchTokens?: number;
  readonly batchSize?: number;
  readonly steps?: number;
  readonly onStep?: (report: StepReport) => void;
}

async function train(
  executor: Executor,
  settings: Training = {},
): Promise<{ reports: StepReport[]; weights: Float32Array }> {
  const { loss = dpo({ beta: 0.1 }), microBatchTokens = 4096, batchSize = 8, steps = 2 } = settings;
  const rows = makeRows(batchSize * steps);
  const model = await loadLanguageModel(start, { optimizer, executor });
  try {
    const reference = await referenceLogprobs({ model, rows, microBatchTokens });
    const trainer = trainerOf(model, rows, reference, loss, microBatchTokens, batchSize);
    const reports: StepReport[] = [];
    while (!trainer.isDone) {
      reports.push(await trainer.step());
      settings.onStep?.(reports.at(-1)!);
    }
    const groups = rows.map(({ prompt, chosen }) => ({ prompt, responses: [chosen] }));
    const { tokenLogprobs } = await model.evaluate(groups, { tokenLogprobs: true });
    return { reports, weights: tokenLogprobs! };
  } finally {
    model.dispose();
  }
}

function trainerOf(
  model: LanguageModel,
  rows: readonly TokenizedPreference[],
  reference: readonly RowLogprobs[],
  loss: PreferenceLoss,
  microBatchTokens: number,
  batchSize: number,
  metaLearner?: MetaWeighing,
  from?: TrainerState,
) {
  const plan = planBatches({ rowCount: rows.length, batchSize, epochs: 1, shuffle: false, seed: 0 });
  const objective = preference({ loss, metaLearner });
  return createTrainer({
    model,
    objective,
    rows,
    reference,
    plan,
    schedule: { kind: 'constant', peak: 1e-3, warmupSteps: 0, totalSteps: plan.totalSteps, minRatio: 0 },
    optimizer: { ...optimizer, maxGradNorm: 1 },
    microBatchTokens,
    start: from ?? initialTrainerState(objective),
  });
}

const worst = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);

describe('a training step', () => {
  it('gives the same numbers however the batch is cut, also for a loss over the whole batch', async () => {
    for (const executor of executors()) {
      for (const loss of [dpo({ beta: 0.1 }), aot({ beta: 0.1 })]) {
        const whole = await train(executor, { loss });
        const cut = await train(executor, { loss, microBatchTokens: 30 });
        for (const [index, { metrics }] of whole.reports.entries()) {
          const other = cut.reports[index]!.metrics;
          expect(Math.abs(metrics.loss! - other.loss!), `${loss.id} on ${executor}`).toBeLessThan(1e-5);
          expect(Math.abs(metrics.grad_norm! / other.grad_norm! - 1)).toBeLessThan(1e-4);
        }
        // Sums of gradients in another order; AdamW divides small ones by their own size.
        expect(worst(whole.weights, cut.weights)).toBeLessThan(1e-3);
      }
    }
  });

  it('gives the same bits each time', async () => {
    for (const executor of executors()) {
      const [first, second] = [await train(executor), await train(executor)];
      expect(second.weights).toEqual(first.weights);
      expect(second.reports.map(({ metrics }) => metrics.grad_norm)).toEqual(
        first.reports.map(({ metrics }) => metrics.grad_norm),
      );
    }
  });

  it('holds as many tensors after every step, and none after the model', async () => {
    for (const executor of executors()) {
      const before = tf.memory().numTensors;
      const counts = new Set<number>();
      const bytes: number[] = [];
      const onStep = ({ step }: StepReport): void => {
        if (step === 1) return;
        counts.add(tf.memory().numTensors);
        bytes.push(tf.memory().numBytes);
      };
      await train(executor, { steps: 6, onStep });
      expect(counts.size, executor).toBe(1);
      expect(new Set(bytes).size).toBe(1);
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it('needs no more memory for a larger batch of the same micro-batches', async () => {
    const peakOf = async (batchSize: number): Promise<number> => {
      const rows = Array.from({ length: batchSize }, (_, row) => ({ ...makeRows(1)[0]!, row }));
      const model = await loadLanguageModel(start, { optimizer, executor: 'eager' });
      try {
        const reference = await referenceLogprobs({ model, rows, microBatchTokens: 32 });
        const trainer = trainerOf(model, rows, reference, dpo({ beta: 0.1 }), 32, batchSize);
        const { peakBytes } = await tf.profile(async () => {
          await trainer.step();
          return [];
        });
        return peakBytes;
      } finally {
        model.dispose();
      }
    };
    const [small, large] = [await peakOf(4), await peakOf(32)];
    expect(small).toBeGreaterThan(0);
    expect(large / small).toBeLessThan(1.01);
  });

  it('says which rows made a loss that is no number, and leaves the weights as they were', async () => {
    const broken: PreferenceLoss = {
      ...dpo({ beta: 0.1 }),
      compute: (logprobs) => {
        const losses = dpo({ beta: 0.1 }).compute(logprobs);
        return { ...losses, perPair: tf.log(tf.mul(losses.perPair, 0).sub(1)) as tf.Tensor1D };
      },
    };
    for (const executor of executors()) {
      const model = await loadLanguageModel(start, { optimizer, executor });
      const rows = makeRows(4);
      const groups = rows.map(({ prompt, chosen, rejected }) => ({ prompt, responses: [chosen, rejected] }));
      const before = await model.evaluate(groups);
      const reference = await referenceLogprobs({ model, rows, microBatchTokens: 4096 });
      const trainer = trainerOf(model, rows, reference, broken, 4096, 4);
      await expect(trainer.step()).rejects.toMatchObject({ code: 'numerics' });
      expect((await model.evaluate(groups)).sumLogprobs).toEqual(before.sumLogprobs);
      expect(await gradientNormOf(model, optimizer)).toBe(0);
      model.dispose();
    }
  });

  it('ends within 1e-5 of the straight run when it is resumed on the other executor', async (context) => {
    if (missing !== undefined) return context.skip(missing);
    const straight = await train('compiled', { steps: 4 });
    const directory = await mkdtemp(join(tmpdir(), 'metaapo-resumed-'));
    const rows = makeRows(32);
    const key = { recipe: 'r', data: 'd' };
    const losses: number[] = [];
    const go = async (executor: Executor, until: number, isResumed: boolean): Promise<Float32Array> => {
      const model = await loadLanguageModel(start, { optimizer, executor });
      try {
        const reference = await referenceLogprobs({ model, rows, microBatchTokens: 4096 });
        const from = isResumed ? await loadTrainerCheckpoint(directory, model, key) : undefined;
        const trainer = trainerOf(model, rows, reference, dpo({ beta: 0.1 }), 4096, 8, undefined, from);
        while (trainer.state.step < until) losses.push((await trainer.step()).metrics.loss!);
        await saveTrainerCheckpoint(directory, model, trainer.state, key);
        const groups = rows.map(({ prompt, chosen }) => ({ prompt, responses: [chosen] }));
        return (await model.evaluate(groups, { tokenLogprobs: true })).tokenLogprobs!;
      } finally {
        model.dispose();
      }
    };
    try {
      await go('compiled', 2, false);
      const resumed = await go('eager', 4, true);
      for (const [step, { metrics }] of straight.reports.entries()) {
        expect(Math.abs(losses[step]! - metrics.loss!), `loss of step ${step + 1}`).toBeLessThan(1e-5);
      }
      expect(worst(resumed, straight.weights)).toBeLessThan(1e-5);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('keeps what a loss remembers, through a checkpoint too', async () => {
    const [executor] = executors();
    const rows = makeRows(16);
    const model = await loadLanguageModel(start, { optimizer, executor: executor! });
    const directory = await mkdtemp(join(tmpdir(), 'metaapo-state-'));
    try {
      const reference = await referenceLogprobs({ model, rows, microBatchTokens: 4096 });
      const trainer = trainerOf(model, rows, reference, bco({ beta: 0.1 }), 4096, 8);
      const first = await trainer.step();
      const { lossState } = memoryOf(trainer.state.objective);
      const { 'rewards/chosen': chosen, 'rewards/rejected': rejected } = first.metrics;
      expect(lossState).toMatchObject({ count: 16 });
      expect(lossState!.mean).toBeCloseTo((chosen! + rejected!) / 2, 6);
      await saveTrainerCheckpoint(join(directory, 'checkpoint'), model, trainer.state, { recipe: 'r', data: 'd' });
      const restored = await loadTrainerCheckpoint(join(directory, 'checkpoint'), model, { recipe: 'r', data: 'd' });
      expect(restored).toEqual(trainer.state);
      expect(memoryOf(restored.objective).lossState).toEqual(lossState);
      await trainer.step();
      expect(memoryOf(trainer.state.objective).lossState).toMatchObject({ count: 32 });
    } finally {
      model.dispose();
      await rm(directory, { recursive: true });
    }
  });

  it('refuses to weigh pairs that the loss ranks', async () => {
    const model = await loadLanguageModel(start, { optimizer, executor: executors()[0]! });
    const meta = { learner: constant(), updateEvery: 1 };
    expect(() => trainerOf(model, makeRows(4), [], aot({ beta: 0.1 }), 4096, 4, meta)).toThrow(
      /loss aot: .*cannot weigh/,
    );
    model.dispose();
  });

  it('gives with a composed loss what it gives with a plain one', async () => {
    const { loss } = await composeRun({ plugins: [losses], recipe: { loss: { id: 'dpo', beta: 0.1 } } });
    const [executor] = executors();
    const [plain, composed] = [await train(executor!), await train(executor!, { loss })];
    expect(composed.weights).toEqual(plain.weights);
    const timeless = ({ metrics }: StepReport) => ({ ...metrics, 'time/step_s': 0 });
    expect(composed.reports.map(timeless)).toEqual(plain.reports.map(timeless));
  });
});
