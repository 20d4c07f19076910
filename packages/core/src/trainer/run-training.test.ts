import { expect, it } from 'vitest';
import { coinPolicy, HEADS, TAILS } from '../../test/run/coin-policy.js';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { planBatches } from '../numerics/index.js';
import { sft } from '../objectives/index.js';
import { runTraining } from './run-training.js';
import { initialTrainerState } from './trainer-state.js';

const file = scratchDirectory();

/** Warnings of a training of so many rows, two a step, with so many steps of warm-up. */
async function warningsOf(rowCount: number, warmupSteps: number): Promise<readonly string[]> {
  const warnings: string[] = [];
  const plan = planBatches({ rowCount, batchSize: 2, epochs: 1, shuffle: false, seed: 0 });
  const turns = [{ prompt: Int32Array.of(TAILS), response: Int32Array.of(HEADS) }];
  await runTraining({
    objective: sft(),
    model: coinPolicy(),
    rows: Array.from({ length: rowCount }, (_, row) => ({ row, turns })),
    microBatchTokens: 64,
    plan,
    schedule: { kind: 'cosine_with_min_lr', peak: 0.5, warmupSteps, totalSteps: plan.totalSteps, minRatio: 0.1 },
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 },
    start: initialTrainerState(sft()),
    output: file(`${rowCount}-${warmupSteps}`),
    key: { recipe: '', data: '' },
    resume: false,
    observer: { warning: (text) => warnings.push(text) },
  });
  return warnings;
}

it('warns when the warm-up leaves nothing to train with', async () => {
  expect(await warningsOf(2, 1)).toEqual([expect.stringContaining('the learning rate is 0 throughout')]);
  expect(await warningsOf(8, 4)).toEqual([expect.stringContaining('at most 0.375, not 0.5')]);
  expect(await warningsOf(8, 3)).toEqual([]);
  expect(await warningsOf(2, 0)).toEqual([]);
});

/** A training of one row a step that saves after each, whose parameter is lost after step `breakAt`. */
async function diverging(name: string, saveEvery: number | undefined, breakAt: number): Promise<string> {
  const model = coinPolicy();
  const plan = planBatches({ rowCount: 4, batchSize: 1, epochs: 1, shuffle: false, seed: 0 });
  const turns = [{ prompt: Int32Array.of(TAILS), response: Int32Array.of(HEADS) }];
  const rows = Array.from({ length: 4 }, (_, row) => ({ row: row + 10, turns }));
  const output = file(name);
  const training = runTraining({
    objective: sft(),
    model,
    rows,
    heldOut: { rows },
    microBatchTokens: 64,
    plan,
    schedule: { kind: 'constant', peak: 0.5, warmupSteps: 0, totalSteps: plan.totalSteps, minRatio: 0 },
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 },
    start: initialTrainerState(sft()),
    output,
    key: { recipe: '', data: '' },
    resume: false,
    saveEvery,
    observer: {
      step: ({ step }) => {
        if (step === breakAt) model.bias = Number.NaN;
      },
    },
  });
  return training.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

it('stops when it diverges, with the step, the rows and the last good checkpoint', async () => {
  const message = await diverging('diverged', 2, 3);
  expect(message).toMatch(
    /^\S*diverged: the training diverged after step 3: step 4: the loss is not finite .*rows 13\./,
  );
  expect(message).toContain(`The last good checkpoint is ${file('diverged/checkpoint')}`);
  expect(await diverging('unsaved', undefined, 1)).toMatch(
    /after step 1: .*rows 11\..*There is no checkpoint of it yet/,
  );
  expect(await diverging('evaluated', undefined, 4)).toMatch(/after step 4: the evaluation: the loss is not finite/);
});
