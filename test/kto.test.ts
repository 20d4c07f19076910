import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createTrainer,
  initialTrainerState,
  kto,
  loadTrainerCheckpoint,
  planBatches,
  referenceLogprobs,
  saveTrainerCheckpoint,
  type Trainer,
  type TrainerState,
} from '@metaapo/core';
import type { TokenizedUnpaired } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';
import { type LanguageModel, loadLanguageModel } from '@metaapo/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { root } from './support/metaapo.js';

interface Golden {
  readonly beta: number;
  readonly desirable: number;
  readonly undesirable: number;
  readonly batch: number;
  readonly rate: number;
  readonly history: readonly (Readonly<Record<string, number>> & {
    readonly losses: readonly number[];
    readonly gradients: readonly number[];
  })[];
}

const training = join(root, 'fixtures', 'training');
const start = join(root, 'fixtures', 'models', 'qwen2');
const golden = JSON.parse(readFileSync(join(training, 'kto.json'), 'utf8')) as Golden;
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
const objective = kto({
  beta: golden.beta,
  desirableWeight: golden.desirable,
  undesirableWeight: golden.undesirable,
});

const data = JSON.parse(readFileSync(join(training, 'kto-data.json'), 'utf8')) as {
  readonly prompt: number[];
  readonly completion: number[];
  readonly label: boolean;
}[];
const rows: readonly TokenizedUnpaired[] = data.map(({ prompt, completion, label }, row) => ({
  row,
  prompt: Int32Array.from(prompt),
  completion: Int32Array.from(completion),
  isDesirable: label,
  mismatched: Int32Array.from(data[(row + 1) % data.length]!.completion),
}));

const referenceDirectory = mkdtempSync(join(tmpdir(), 'metaapo-kto-'));
copyFileSync(join(start, 'config.json'), join(referenceDirectory, 'config.json'));
copyFileSync(join(training, 'reference.safetensors'), join(referenceDirectory, 'model.safetensors'));
afterAll(() => rmSync(referenceDirectory, { recursive: true }));

let reference: readonly Float32Array[];
beforeAll(async () => {
  expect(await prepareBackend('wasm')).toBeUndefined();
  const model = await loadLanguageModel(referenceDirectory, { executor: 'eager' });
  reference = await referenceLogprobs({ model, rows, objective, microBatchTokens: 4096 });
  model.dispose();
});

function trainerOf(model: LanguageModel, microBatchTokens: number, from?: TrainerState): Trainer {
  const plan = planBatches({ rowCount: rows.length, batchSize: golden.batch, epochs: 1, shuffle: false, seed: 0 });
  return createTrainer({
    model,
    objective,
    rows,
    reference,
    heldOut: { rows, reference },
    plan,
    schedule: { kind: 'constant', peak: golden.rate, warmupSteps: 0, totalSteps: plan.totalSteps, minRatio: 0 },
    optimizer,
    microBatchTokens,
    start: from ?? initialTrainerState(objective),
  });
}

const METRICS = ['loss', 'kl', 'rewards/chosen', 'rewards/rejected', 'logps/chosen', 'logps/rejected'];
const difference = (a: number, b: number): number => Math.abs(a - b) / Math.max(Math.abs(b), 1e-2);

describe('KTO', () => {
  it.each([4096, 40])(
    'reproduces the PyTorch trajectory, with micro-batches of %d tokens',
    async (microBatchTokens) => {
      const model = await loadLanguageModel(start, { optimizer, executor: 'eager' });
      const trainer = trainerOf(model, microBatchTokens);
      const before = await trainer.objective.evaluate!(trainer.state.objective, {});
      for (const expected of golden.history) {
        const { metrics } = await trainer.step();
        for (const name of METRICS) {
          expect(difference(metrics[name]!, expected[name]!), `${name} of step ${expected.step}`).toBeLessThan(1e-3);
        }
        expect(difference(metrics.grad_norm!, expected.grad_norm!)).toBeLessThan(1e-3);
      }
      const after = await trainer.objective.evaluate!(trainer.state.objective, {});
      expect(after.eval_loss!).toBeLessThan(before.eval_loss!);
      const saved = await mkdtemp(join(tmpdir(), 'metaapo-kto-saved-'));
      await model.save(join(saved, 'model'));
      const got = await readArrays(join(saved, 'model', 'model.safetensors'));
      for (const [name, { values }] of Object.entries(await readArrays(join(training, 'kto-final.safetensors')))) {
        const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(got[name]!.values[at]! - value)), 0);
        expect(worst, name).toBeLessThan(1e-4);
      }
      await rm(saved, { recursive: true });
      model.dispose();
    },
  );

  it('has the gradient of PyTorch for every response of a batch', async () => {
    const model = await loadLanguageModel(start, { optimizer, executor: 'eager' });
    const given: number[] = [];
    const watched: LanguageModel = {
      ...model,
      backward: (ticket, gradient) => {
        if ('perResponse' in gradient) given.push(...gradient.perResponse);
        return model.backward(ticket, gradient);
      },
    };
    await trainerOf(watched, 40).step();
    for (const [at, expected] of golden.history[0]!.gradients.entries()) {
      expect(given[at], `row ${at}`).toBeCloseTo(expected, 5);
    }
    expect(given).toHaveLength(golden.batch);
    model.dispose();
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'metaapo-kto-resumed-'));
    const key = { recipe: 'r', data: 'd' };
    const first = await loadLanguageModel(start, { optimizer, executor: 'eager' });
    const straight = trainerOf(first, 4096);
    await straight.step();
    await saveTrainerCheckpoint(join(directory, 'checkpoint'), first, straight.state, key);
    const { metrics: expected } = await straight.step();
    first.dispose();
    const second = await loadLanguageModel(start, { optimizer, executor: 'eager' });
    const from = await loadTrainerCheckpoint(join(directory, 'checkpoint'), second, key);
    const { metrics } = await trainerOf(second, 4096, from).step();
    expect({ ...metrics, 'time/step_s': 0 }).toEqual({ ...expected, 'time/step_s': 0 });
    second.dispose();
    await rm(directory, { recursive: true });
  });
});
